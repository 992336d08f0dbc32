// The daemon's configuration file: `key = value` lines, `#` comments. Command-line options win.

package import Foundation
package import Kernels
package import Reporting

/// A configuration that cannot be used.
package enum ConfigurationError: Explained, Equatable {
  case unreadable(path: String)
  case badLine(path: String, line: Int, text: String)
  case badValue(path: String, line: Int, key: String, value: String, expected: String)

  package var kind: FailureKind { .configuration }
  package var problem: String {
    switch self {
    case .unreadable(let path): "cannot read \(path)"
    case .badLine(let path, let line, let text):
      "\(path), line \(line): \(printable(text)) is no setting"
    case .badValue(let path, let line, let key, let value, _):
      "\(path), line \(line): \(key) cannot be \(printable(value))"
    }
  }
  package var remedy: String {
    switch self {
    case .unreadable: "check the path given with --config"
    case .badLine: "use one of: \(Configuration.keys.joined(separator: ", "))"
    case .badValue(_, _, _, _, let expected): "give \(expected)"
    }
  }
}

/// What the daemon is told before it starts.
package struct Configuration: Sendable, Equatable {
  package var model = "house"
  package var weights = WeightFormat.standard
  package var threads = 0
  package var bundles: [String] = []
  package var oscPort = 9770
  package var oscBind = "127.0.0.1"
  package var jackName = "continuo"
  package var jackServer: String?
  package var connect = "none"
  package var record: String?
  package var allowsQuit = false
  package var state: String?
  package var catalogue: String?

  package static let keys = [
    "model", "weights", "threads", "bundle", "osc-port", "osc-bind", "jack-name", "jack-server",
    "connect", "record", "allow-quit", "state",
    "catalogue",
  ]

  package init() {}

  /// Reads a file over the defaults.
  /// - Throws: `ConfigurationError` with the line.
  package init(contentsOf file: URL) throws {
    guard let text = try? String(contentsOf: file, encoding: .utf8) else {
      throw ConfigurationError.unreadable(path: file.path)
    }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, raw) in lines.enumerated() {
      let line = raw.prefix { $0 != "#" }.trimmingCharacters(in: .whitespaces)
      guard !line.isEmpty else { continue }
      let parts = line.split(separator: "=", maxSplits: 1).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      guard parts.count == 2, Self.keys.contains(parts[0]) else {
        throw ConfigurationError.badLine(path: file.path, line: index + 1, text: line)
      }
      try set(parts[0], parts[1], path: file.path, line: index + 1)
    }
  }

  private mutating func set(_ key: String, _ value: String, path: String, line: Int) throws {
    func refuse(_ expected: String) -> ConfigurationError {
      .badValue(path: path, line: line, key: key, value: value, expected: expected)
    }
    switch key {
    case "model": model = value
    case "weights":
      guard let format = WeightFormat(rawValue: value) else {
        throw refuse("f32, bf16, int8 or int4")
      }
      weights = format
    case "threads":
      guard let number = Int(value), (0...256).contains(number) else { throw refuse("0 to 256") }
      threads = number
    case "bundle": bundles.append(value)
    case "osc-port":
      guard let number = Int(value), (0...65535).contains(number) else {
        throw refuse("0 to 65535")
      }
      oscPort = number
    case "osc-bind": oscBind = value
    case "jack-name": jackName = value
    case "jack-server": jackServer = value
    case "connect":
      guard ["none", "system"].contains(value) else { throw refuse("none or system") }
      connect = value
    case "record": record = value
    case "catalogue": catalogue = value
    case "allow-quit":
      guard ["yes", "no"].contains(value) else { throw refuse("yes or no") }
      allowsQuit = value == "yes"
    default: state = value
    }
  }
}
