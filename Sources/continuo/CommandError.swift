// What can be wrong with a command line or with how its parts fit together.

import Foundation
import Reporting

/// An option that makes no sense, alone or with another.
enum CommandError: Explained, Equatable {
  case badValue(option: String, value: String, expected: String)
  case clash(what: String, remedy: String)
  case silentPrompt(path: String)
  case shortPrompt(path: String, seconds: Double, least: Double)
  case outputFolder(option: String, path: String, reason: String)
  case interrupted(output: String)

  var kind: FailureKind {
    switch self {
    case .badValue, .clash: .usage
    case .silentPrompt, .shortPrompt: .data
    case .outputFolder: .cannotCreate
    case .interrupted: .system
    }
  }

  var problem: String {
    switch self {
    case .badValue(let option, let value, _): "\(option) \(printable(value)) makes no sense"
    case .clash(let what, _): what
    case .silentPrompt(let path): "\(path) is silent, so there is nothing to continue"
    case .shortPrompt(let path, let seconds, let least):
      String(
        format: "%@ has only %.3f s of sound, at least %.1f s are needed", path as NSString,
        seconds, least)
    case .outputFolder(let option, let path, let reason):
      "\(option) \(printable(path)) cannot be written: \(reason)"
    case .interrupted(let output): "interrupted; \(output) was not written"
    }
  }

  var remedy: String {
    switch self {
    case .badValue(_, _, let expected): "give \(expected)"
    case .clash(_, let remedy): remedy
    case .silentPrompt: "choose another part, or leave --prompt out"
    case .shortPrompt: "give a longer file, or leave --prompt out"
    case .outputFolder: "choose another place"
    case .interrupted: "run it again"
    }
  }
}
