// probes.safetensors: the probes of every trait of a bundle, read under all rules and written.
//
// In: at most 64 MiB from a stranger and the manifest that names dimensions and traits. Out: finite
// probes of exactly those shapes, whose push is bounded.

package import Foundation
package import Models

/// Reads and writes the tensors of a bundle.
package enum PresetProbes {
  /// Headers larger than this are refused, in bytes.
  static let largestHeader = 1 << 20
  /// The largest push that a bundle may ask for at strength 1 in any head: α·σ, in units of the head's
  /// output. Real ones are below 100.
  package static let largestPush: Float = 1000
  /// The largest value of θ, b and mean differences.
  static let largestValue: Float = 1e9

  /// Reads the probes of every trait of `manifest`, by trait id.
  /// - Throws: `PresetError.badProbes`.
  package static func read(_ data: Data, manifest: PresetManifest, bundle: String) throws
    -> [String: ProbeSet]
  {
    func bad(_ reason: String) -> PresetError { .badProbes(bundle: bundle, reason: reason) }
    guard data.count >= 8 else { throw bad("it has only \(data.count) bytes") }
    let header = data.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard header <= UInt64(largestHeader) else {
      throw bad("its header claims \(header) bytes, at most \(largestHeader) are allowed")
    }
    let file: SafetensorsFile
    do { file = try SafetensorsFile(data: data, name: "probes.safetensors") } catch {
      throw bad("\((error as? SafetensorsError)?.problem ?? "it cannot be read")")
    }
    let (layers, heads) = (manifest.model.layers, manifest.model.heads)
    let dimension = manifest.model.headDimension
    var unused = Set(file.tensors.keys)
    func tensor(_ name: String, _ shape: [Int]) throws -> [Float] {
      guard let tensor = file.tensors[name] else { throw bad("it has no tensor \(name)") }
      unused.remove(name)
      guard tensor.type == .f32 else {
        throw bad("tensor \(name) is of type \(tensor.type.rawValue), F32 is needed")
      }
      guard tensor.shape == shape else {
        throw bad("tensor \(name) has shape \(tensor.shape), preset.json promises \(shape)")
      }
      let values = try tensor.floats()
      guard values.allSatisfy(\.isFinite) else {
        throw bad("tensor \(name) holds a value that is infinite or not a number")
      }
      guard values.allSatisfy({ abs($0) <= largestValue }) else {
        throw bad("tensor \(name) holds a value beyond \(largestValue)")
      }
      return values
    }
    var result: [String: ProbeSet] = [:]
    for trait in manifest.traits {
      let prefix = trait.tensors
      let flat = [layers, heads]
      let deep = [layers, heads, dimension]
      let optional = prefix + ".mean_difference_sigma"
      let probes = ProbeSet(
        layers: layers, heads: heads, headDimension: dimension,
        theta: try tensor(prefix + ".theta", deep), bias: try tensor(prefix + ".bias", flat),
        sigma: try tensor(prefix + ".sigma", flat),
        accuracyTrain: try tensor(prefix + ".accuracy_train", flat),
        accuracyTest: try tensor(prefix + ".accuracy_test", flat),
        meanDifference: try tensor(prefix + ".mean_difference", deep),
        meanDifferenceSigma: file.tensors[optional] == nil ? [] : try tensor(optional, flat))
      for sigma in [probes.sigma, probes.meanDifferenceSigma] {
        guard sigma.allSatisfy({ $0 > 0 }) else {
          throw bad("a sigma of trait \(trait.id) is not above zero")
        }
        guard sigma.allSatisfy({ $0 * trait.defaults.alpha <= largestPush }) else {
          throw bad(
            "trait \(trait.id) would add more than \(largestPush) to a head at strength 1")
        }
      }
      for accuracy in [probes.accuracyTrain, probes.accuracyTest] {
        guard accuracy.allSatisfy({ (0...1).contains($0) }) else {
          throw bad("an accuracy of trait \(trait.id) is not between 0 and 1")
        }
      }
      result[trait.id] = probes
    }
    if let name = unused.sorted().first { throw bad("tensor \(name) belongs to no trait") }
    return result
  }

  /// The bytes of probes.safetensors for `probes` by trait id.
  package static func encode(_ probes: [String: ProbeSet], manifest: PresetManifest) -> Data {
    var entries: [SafetensorsWriter.Entry] = []
    for trait in manifest.traits {
      guard let set = probes[trait.id] else { continue }
      let flat = [set.layers, set.heads]
      let deep = flat + [set.headDimension]
      var tensors: [(String, [Int], [Float])] = [
        ("theta", deep, set.theta), ("mean_difference", deep, set.meanDifference),
        ("bias", flat, set.bias), ("sigma", flat, set.sigma),
        ("accuracy_train", flat, set.accuracyTrain), ("accuracy_test", flat, set.accuracyTest),
      ]
      if !set.meanDifferenceSigma.isEmpty {
        tensors.append(("mean_difference_sigma", flat, set.meanDifferenceSigma))
      }
      for (name, shape, values) in tensors {
        entries.append(
          SafetensorsWriter.Entry(name: "\(trait.tensors).\(name)", shape: shape, floats: values))
      }
    }
    return SafetensorsWriter.encode(entries)
  }
}
