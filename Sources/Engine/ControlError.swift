// Why a message was not obeyed, with the codes of New Session Manager.

package import Reporting

/// What `/error` says.
package enum ControlError: Explained, Equatable {
  case unknownAddress(String)
  case badPattern(String)
  case readOnly(String)
  case eventOnly(String)
  case wrongCount(address: String, given: Int, wanted: String)
  case wrongType(address: String, argument: String, given: String, wanted: String)
  case notFinite(address: String)
  case notAChoice(address: String, given: String, choices: String)
  case tooLong(address: String, limit: Int)
  case noSuch(what: String, name: String)
  case badName(String)
  case notNow(what: String, why: String)
  case notAllowed(what: String)
  case tooFarAhead(seconds: Double)
  case tooMuchScheduled(limit: Int)
  case cannotCreate(what: String, reason: String)
  case failed(problem: String, remedy: String)

  /// The code in `/error`: those of New Session Manager's API 1.1.
  package var code: Int32 {
    switch self {
    case .noSuch: -5
    case .notNow, .notAllowed, .tooFarAhead, .tooMuchScheduled: -8
    case .cannotCreate: -10
    default: -1
    }
  }

  package var kind: FailureKind {
    if case .failed = self { return .unavailable }
    return .usage
  }

  package var problem: String {
    switch self {
    case .unknownAddress(let address): "no address \(address)"
    case .badPattern(let pattern): "the pattern \(pattern) matches nothing"
    case .readOnly(let address): "\(address) can only be read"
    case .eventOnly(let address): "\(address) is only sent by the daemon"
    case .wrongCount(let address, let given, let wanted):
      "\(address) got \(given) arguments, wants \(wanted.isEmpty ? "none" : wanted)"
    case .wrongType(let address, let argument, let given, let wanted):
      "\(address): \(argument) is of type \(given), wants \(wanted)"
    case .notFinite(let address): "\(address): not a finite number"
    case .notAChoice(let address, let given, let choices):
      "\(address): \(given) is none of \(choices)"
    case .tooLong(let address, let limit): "\(address): text longer than \(limit) bytes"
    case .noSuch(let what, let name): "no \(what) named \(name)"
    case .badName(let name): "\(name) is no name"
    case .notNow(let what, let why): "cannot \(what): \(why)"
    case .notAllowed(let what): "\(what) is not allowed"
    case .tooFarAhead(let seconds): "a time tag \(Int(seconds)) s ahead"
    case .tooMuchScheduled(let limit): "\(limit) messages are scheduled already"
    case .cannotCreate(let what, let reason): "cannot write \(what): \(reason)"
    case .failed(let problem, _): problem
    }
  }

  package var remedy: String {
    switch self {
    case .unknownAddress, .badPattern: "/tree lists all addresses"
    case .readOnly: "send it without arguments"
    case .eventOnly: "/subscribe to it"
    case .wrongCount, .wrongType: "/tree tells the types"
    case .notFinite: "send a number in the range that /tree tells"
    case .notAChoice: "send one of those"
    case .tooLong: "send less"
    case .noSuch: "ask for the list"
    case .badName: "use letters, digits, -, _ and ., and no path"
    case .notNow: "try again later"
    case .notAllowed: "allow it in the configuration file"
    case .tooFarAhead: "schedule at most an hour ahead"
    case .tooMuchScheduled: "send fewer at a time"
    case .cannotCreate: "check the folder and the space on the disk"
    case .failed(_, let remedy): remedy
    }
  }
}
