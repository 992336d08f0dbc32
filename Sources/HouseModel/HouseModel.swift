// Where the models that ship with the program lie.

public import Foundation

/// The shipped models, phrases and catalogue.
public enum HouseModel {
  /// The folder of shipped resources, beside the executable or in the source tree.
  public static var resources: URL {
    // Not resourceURL: Foundation takes a folder of this name inside a bundle for the resources already.
    Bundle.module.bundleURL.appendingPathComponent("Resources")
  }
}
