// What can be wrong with a preset bundle, and what is only worth a warning.

package import Reporting

/// Why a bundle is refused, or a command on bundles cannot go on. `bundle` is the path or name.
package enum PresetError: Explained {
  case cannotOpen(bundle: String, reason: String)
  case notAnArchive(bundle: String, reason: String)
  case forbiddenName(bundle: String, name: String)
  case notAFile(bundle: String, name: String, what: String)
  case duplicate(bundle: String, name: String)
  case tooLarge(bundle: String, name: String, limit: Int)
  case inflates(bundle: String, ratio: Int)
  case encrypted(bundle: String, name: String)
  case missingFile(bundle: String, name: String)
  case wrongSum(bundle: String, name: String)
  case badSums(bundle: String, reason: String)
  case badManifest(bundle: String, reason: String)
  case badText(bundle: String, field: String, reason: String)
  case badProbes(bundle: String, reason: String)
  case otherDimensions(bundle: String, made: String, model: String)
  case notFound(name: String, places: [String])
  case unknownTrait(name: String, known: [String])
  case ambiguousTrait(name: String, candidates: [String])
  case cannotInstall(place: String, reason: String)
  case notOurs(name: String, place: String)

  package var kind: FailureKind {
    switch self {
    case .cannotOpen, .notFound: .noInput
    case .unknownTrait, .ambiguousTrait: .usage
    case .cannotInstall: .cannotCreate
    case .notOurs: .permission
    default: .data
    }
  }

  package var problem: String {
    switch self {
    case .cannotOpen(let bundle, let reason): "cannot open bundle \(bundle): \(reason)"
    case .notAnArchive(let bundle, let reason): "\(bundle) is not a readable bundle: \(reason)"
    case .forbiddenName(let bundle, let name):
      "\(bundle) holds “\(printable(name))”, which no bundle may hold"
    case .notAFile(let bundle, let name, let what):
      "\(bundle): “\(printable(name))” is \(what), not a plain file"
    case .duplicate(let bundle, let name): "\(bundle) holds “\(printable(name))” twice"
    case .tooLarge(let bundle, let name, let limit):
      "\(bundle): “\(printable(name))” is larger than the \(limit) bytes allowed"
    case .inflates(let bundle, let ratio):
      "\(bundle) grows to more than \(ratio) times its size when unpacked"
    case .encrypted(let bundle, let name): "\(bundle): “\(printable(name))” is encrypted"
    case .missingFile(let bundle, let name): "\(bundle) has no \(name)"
    case .wrongSum(let bundle, let name):
      "\(bundle): the contents of “\(printable(name))” do not match SHA256SUMS"
    case .badSums(let bundle, let reason): "\(bundle): SHA256SUMS \(reason)"
    case .badManifest(let bundle, let reason): "\(bundle): preset.json \(printable(reason))"
    case .badText(let bundle, let field, let reason):
      "\(bundle): preset.json: \(printable(field)) \(reason)"
    case .badProbes(let bundle, let reason): "\(bundle): probes.safetensors: \(printable(reason))"
    case .otherDimensions(let bundle, let made, let model):
      "\(bundle) was made for \(printable(made)), but the model is \(printable(model))"
    case .notFound(let name, let places):
      "no bundle “\(printable(name))” in \(places.isEmpty ? "any folder" : places.joined(separator: ", "))"
    case .unknownTrait(let name, let known):
      "no loaded bundle has a trait “\(printable(name))”; known are: "
        + (known.isEmpty ? "none" : known.map { printable($0) }.joined(separator: ", "))
    case .ambiguousTrait(let name, let candidates):
      "“\(printable(name))” could be any of "
        + candidates.map { printable($0) }.joined(separator: ", ")
    case .cannotInstall(let place, let reason): "cannot install into \(place): \(reason)"
    case .notOurs(let name, let place):
      "\(printable(name)) lies in \(place), where nothing was installed by this command"
    }
  }

  package var remedy: String {
    switch self {
    case .cannotOpen: "check the path and its permissions"
    case .notAnArchive: "ask its author for a file made with “continuo preset pack”"
    case .missingFile, .wrongSum, .badSums: "download the bundle again, or pack it again"
    case .forbiddenName, .notAFile, .duplicate, .tooLarge, .inflates, .encrypted, .badManifest,
      .badText, .badProbes:
      "do not use this bundle; its author can check it with “continuo preset verify”"
    case .otherDimensions: "use the model it was made for, or train the trait on this one"
    case .notFound: "see “continuo preset list”, or give a path"
    case .unknownTrait, .ambiguousTrait: "name it as BUNDLE-ID/TRAIT"
    case .cannotInstall: "check the folder's permissions and free space"
    case .notOurs: "remove it by hand if it is really not wanted"
    }
  }
}

/// What is worth telling about a bundle that may be used all the same.
package enum PresetWarning: Sendable, Equatable, CustomStringConvertible {
  case noLicence
  case otherWeights(made: String, model: String)
  case weakProbe(trait: String, accuracy: Float)

  package var description: String {
    switch self {
    case .noLicence: "it names no licence: ask its author before passing it on"
    case .otherWeights(let made, let model):
      "it was trained on other weights (\(printable(made))) than those of \(printable(model)): "
        + "the sizes fit, but its knobs may do something else"
    case .weakProbe(let trait, let accuracy):
      "its best probe for \(printable(trait)) is right in only \(Int((accuracy * 100).rounded())) %"
    }
  }
}
