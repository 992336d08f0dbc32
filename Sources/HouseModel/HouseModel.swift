// Where the models that ship with the program lie.

public import Foundation

/// The shipped models, phrases and catalogue.
public enum HouseModel {
  /// The folder of shipped resources, beside the executable or in the source tree.
  public static var resources: URL {
    // Not resourceURL: Foundation takes a folder of this name inside a bundle for the resources already.
    Bundle.module.bundleURL.appendingPathComponent("Resources")
  }

  /// The catalogue that a shipped model was trained on; nil for any other model.
  /// - Parameter model: the model's folder.
  public static func catalogue(of model: URL) -> URL? {
    let folder = model.resolvingSymlinksInPath().standardizedFileURL
    let shipped = resources.resolvingSymlinksInPath().standardizedFileURL
    guard folder.deletingLastPathComponent().path == shipped.path else { return nil }
    return resources.appendingPathComponent("catalogue")
  }
}
