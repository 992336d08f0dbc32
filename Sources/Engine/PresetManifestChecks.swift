// Reading and checking preset.json: every rule that its values must obey.

package import Foundation
import Models
import Reporting

extension PresetManifest {
  /// Parses and checks the bytes of a `preset.json`.
  /// - Parameter bundle: path or name, for messages.
  /// - Throws: `PresetError.badManifest`, `.badText`.
  package init(json: Data, bundle: String) throws {
    guard String(validating: json, as: UTF8.self) != nil else {
      throw PresetError.badManifest(bundle: bundle, reason: "is not valid UTF-8")
    }
    do { self = try JSONDecoder().decode(PresetManifest.self, from: json) } catch {
      throw PresetError.badManifest(bundle: bundle, reason: Self.reason(of: error))
    }
    try check(bundle: bundle)
  }

  /// The file's bytes: sorted keys, so that equal manifests give equal files.
  package func json() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(self) + Data("\n".utf8)
  }

  /// - Throws: `PresetError.badManifest`, `.badText`.
  package func check(bundle: String) throws {
    func bad(_ reason: String) -> PresetError { .badManifest(bundle: bundle, reason: reason) }
    guard format == Self.format else { throw bad("is not a preset's: its format is “\(format)”") }
    guard (1...Self.formatVersion).contains(formatVersion) else {
      throw bad(
        "has format version \(formatVersion), this program reads up to \(Self.formatVersion)")
    }
    guard Self.isIdentifier(id) else {
      throw bad("has id “\(id)”, which is no reverse domain such as org.example.drums")
    }
    guard PresetVersion(version) != nil else {
      throw bad("has version “\(version)”, which is not of the form 1.2.3")
    }
    try text(name, "name", limit: 100, bundle)
    guard !name.isEmpty else { throw bad("has no name") }
    try text(licence, "licence", limit: 200, bundle)
    try text(description, "description", limit: 20_000, bundle, lines: true)
    guard authors.count <= 50, tags.count <= 50 else { throw bad("has too many authors or tags") }
    for author in authors { try text(author, "author", limit: 200, bundle) }
    for tag in tags { try text(tag, "tag", limit: 60, bundle) }

    try text(model.family, "model family", limit: 60, bundle)
    try text(model.name, "model name", limit: 100, bundle)
    guard (1...512).contains(model.layers), (1...512).contains(model.heads),
      (1...1024).contains(model.headDimension)
    else {
      throw bad("names a model of impossible dimensions: \(model.summary)")
    }
    guard model.fingerprint.count == 64,
      model.fingerprint.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
    else { throw bad("has a model fingerprint that is not 64 hexadecimal digits") }

    guard (1...64).contains(traits.count) else {
      throw bad("has \(traits.count) traits, 1 to 64 are allowed")
    }
    var seen = Set<String>()
    for trait in traits {
      guard Self.isTraitName(trait.id), Self.isTraitName(trait.tensors) else {
        throw bad("has a trait “\(trait.id)”, whose id or tensor prefix is not of a-z, 0-9 and -")
      }
      guard seen.insert(trait.id).inserted else { throw bad("has trait “\(trait.id)” twice") }
      try check(trait, bundle)
    }
  }

  private func check(_ trait: PresetTrait, _ bundle: String) throws {
    func range(_ name: String, _ value: Double, _ range: ClosedRange<Double>) throws {
      guard value.isFinite, range.contains(value) else {
        throw PresetError.badManifest(
          bundle: bundle,
          reason: "has \(name) \(value) for trait \(trait.id), allowed is "
            + "\(range.lowerBound) to \(range.upperBound)")
      }
    }
    try text(trait.label, "label", limit: 60, bundle)
    guard trait.ends.count <= 2 else {
      throw PresetError.badManifest(
        bundle: bundle, reason: "names \(trait.ends.count) ends for trait \(trait.id)")
    }
    for end in trait.ends { try text(end, "end", limit: 60, bundle) }
    let defaults = trait.defaults
    try range("alpha", Double(defaults.alpha), 0...1000)
    try range("period", Double(defaults.period), 1...1500)
    try range("power", Double(defaults.power), 0...20)
    try range("monitors", Double(defaults.monitors), 1...1024)
    try range("hard_heads", Double(defaults.hardHeads), 1...65536)
    try range("ramp", Double(defaults.ramp), 0...60)
    if let training = trait.training {
      try text(training.data ?? "", "training data", limit: 2000, bundle, lines: true)
      try text(training.dataLicence ?? "", "licence of the data", limit: 200, bundle)
      try range("segments", Double(training.segments ?? 0), 0...1e9)
      try range("tracks", Double(training.tracks ?? 0), 0...1e9)
      try range("seconds", Double(training.seconds ?? 0), 0...1e6)
    }
    if let accuracy = trait.accuracy {
      for value in [accuracy.bestTrain, accuracy.bestTest, accuracy.monitors] {
        try range("accuracy", Double(value ?? 0), 0...1)
      }
    }
    if let control = trait.control {
      try range("MIDI controller", Double(control.controller), 0...119)
      try range("MIDI channel", Double(control.channel ?? 1), 1...16)
    }
  }

  private func text(
    _ value: String, _ field: String, limit: Int, _ bundle: String, lines: Bool = false
  ) throws {
    guard value.unicodeScalars.count <= limit else {
      throw PresetError.badText(
        bundle: bundle, field: field, reason: "is longer than \(limit) characters")
    }
    let flat = lines ? value.filter { $0 != "\n" && $0 != "\t" } : value
    guard printable(flat, limit: .max) == flat else {
      throw PresetError.badText(bundle: bundle, field: field, reason: "holds control characters")
    }
  }

  /// Reverse domain names of a-z, 0-9 and hyphens, with at least one dot.
  package static func isIdentifier(_ id: String) -> Bool {
    let parts = id.split(separator: ".", omittingEmptySubsequences: false)
    return id.utf8.count <= 128 && parts.count >= 2 && parts.allSatisfy { isTraitName(String($0)) }
  }

  /// a-z, 0-9 and hyphens, not first a hyphen, at most 64.
  package static func isTraitName(_ name: String) -> Bool {
    (1...64).contains(name.utf8.count) && name.utf8.first != 45
      && name.utf8.allSatisfy {
        (97...122).contains($0) || (48...57).contains($0) || $0 == 45
      }
  }

  private static func reason(of error: any Error) -> String {
    func path(_ context: DecodingError.Context) -> String {
      context.codingPath.map(\.stringValue).joined(separator: ".")
    }
    switch error {
    case DecodingError.keyNotFound(let key, let context):
      let place = path(context)
      return "lacks \(place.isEmpty ? "" : place + ".")\(key.stringValue)"
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
      return "has a value of the wrong type at \(path(context))"
    case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
      return "has a value that is not allowed at \(path(context))"
    default: return "is not valid JSON"
    }
  }
}

/// Three numbers, ordered.
package struct PresetVersion: Comparable, Sendable, CustomStringConvertible {
  package let numbers: [Int]

  /// - Returns: nil when `text` is not three decimal numbers of at most six digits with dots between.
  package init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3 else { return nil }
    var numbers: [Int] = []
    for part in parts {
      guard (1...6).contains(part.utf8.count), part.utf8.allSatisfy({ (48...57).contains($0) }),
        part.count == 1 || part.first != "0", let number = Int(part)
      else { return nil }
      numbers.append(number)
    }
    self.numbers = numbers
  }

  package static func < (a: PresetVersion, b: PresetVersion) -> Bool {
    a.numbers.lexicographicallyPrecedes(b.numbers)
  }

  package var description: String { numbers.map(String.init).joined(separator: ".") }
}
