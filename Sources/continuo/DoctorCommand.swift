// `continuo doctor`: what stands between this machine and music without gaps, each with its remedy.

import ArgumentParser
import Engine
import Foundation
import HouseModel
import Kernels
import Models
import Reporting

#if canImport(Glibc)
  import Glibc
#endif

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract:
      "Examines this machine, the models and the bundles; says what to do about each problem.",
    discussion: """
      Exits with 1 when something keeps Continuo from playing; what only makes it slower is a warning.

      Examples:
        continuo doctor
        continuo doctor --json
      """)

  @Flag(help: "The findings as JSON.") var json = false

  func run() throws {
    let findings =
      Self.processor() + Self.realTime() + Self.soundServer() + Self.models() + Self.bundles()
    if json {
      try printJSON(findings)
    } else {
      let width = findings.map(\.subject.count).max() ?? 0
      for finding in findings {
        let subject = finding.subject.padding(toLength: width, withPad: " ", startingAt: 0)
        print("\(finding.verdict.mark)  \(subject)  \(finding.detail)")
        if let remedy = finding.remedy { print("         → \(remedy)") }
      }
    }
    if findings.contains(where: { $0.verdict == .problem }) { throw ExitCode(1) }
  }

  private static func processor() -> [Finding] {
    var findings: [Finding] = []
    let instructions = InstructionSet.selected
    findings.append(
      instructions == .portable || instructions == .neon
        ? Finding(
          .warning, "instructions", "\(instructions.rawValue): quantised weights are slow here",
          remedy: "use a processor with AVX2 or ARM dot products, or a smaller model")
        : Finding(.good, "instructions", instructions.rawValue))
    let core = OpenBLASCore.name
    let better = OpenBLASCore.better(than: core, flags: OpenBLASCore.processorFlags)
    findings.append(
      better.map {
        Finding(
          .warning, "OpenBLAS", "uses its \(core) kernels, at half the speed that is possible",
          remedy: "unset OPENBLAS_CORETYPE, or set it to \($0)")
      } ?? Finding(.good, "OpenBLAS", "\(core) kernels"))
    let governor = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    if let text = try? String(contentsOfFile: governor, encoding: .utf8) {
      let name = text.trimmingCharacters(in: .whitespacesAndNewlines)
      findings.append(
        name == "powersave"
          ? Finding(
            .warning, "clock", "the governor is powersave",
            remedy: "choose performance: cpupower frequency-set -g performance")
          : Finding(.good, "clock", "the governor is \(printable(name))"))
    }
    return findings
  }

  private static func realTime() -> [Finding] {
    // "Max realtime priority     0                    0" and the like; UInt64.max for "unlimited".
    let limits = (try? String(contentsOfFile: "/proc/self/limits", encoding: .utf8)) ?? ""
    func limit(_ name: String) -> UInt64 {
      let line = limits.split(separator: "\n").first { $0.hasPrefix(name) }
      let value = line?.dropFirst(name.count).split(separator: " ").first
      return value == "unlimited" ? .max : value.flatMap { UInt64($0) } ?? 0
    }
    let remedy = """
      sudo dpkg-reconfigure -p high jackd2, answer yes; sudo adduser \(printable(NSUserName())) audio; log in again
      """
    let priority = limit("Max realtime priority")
    let isRoot = geteuid() == 0
    var findings = [
      priority > 0 || isRoot
        ? Finding(
          .good, "real-time right", isRoot ? "root" : "priorities up to \(printable("\(priority)"))"
        )
        : Finding(
          .warning, "real-time right", "none: the audio thread may be late on a busy machine",
          remedy: remedy)
    ]
    let locked = limit("Max locked memory")
    findings.append(
      locked >= 64 << 20 || isRoot
        ? Finding(.good, "locked memory", locked > 1 << 40 ? "no limit" : "\(locked >> 20) MiB")
        : Finding(
          .warning, "locked memory", "\(locked >> 10) KiB: the rings may be paged out",
          remedy: remedy))
    return findings
  }

  private static func soundServer() -> [Finding] {
    guard let server = SoundServer.running() else {
      return [
        Finding(
          .problem, "sound server", "no JACK server answers, nor PipeWire in its place",
          remedy: "start one: jackd -d alsa, or with PipeWire pw-jack continuod")
      ]
    }
    let detail =
      "\(server.version), \(server.rate) Hz, \(server.period) frames "
      + String(format: "(%.1f ms)", 1000 * Double(server.period) / Double(server.rate))
    return [
      server.isRealTime
        ? Finding(.good, "sound server", detail)
        : Finding(
          .warning, "sound server", detail + ", not real-time",
          remedy: "start jackd with -R, once the real-time right is there")
    ]
  }

  private static func models() -> [Finding] {
    let found = ModelLocation.all(shipped: HouseModel.resources)
    guard !found.isEmpty else {
      return [
        Finding(
          .problem, "models", "there is none",
          remedy: "put a folder in the Hugging Face MusicGen layout into "
            + "~/.local/share/continuo/models")
      ]
    }
    return found.map { location in
      let subject = "model \(printable(location.name))"
      do {
        let config = try MusicGenConfig(folder: location.folder)
        let store = try TensorStore(directory: location.folder)
        let bytes = store.tensors.values.reduce(0) { $0 + $1.count * $1.type.size }
        let memory = ProcessInfo.processInfo.physicalMemory
        let detail =
          "\(location.origin.rawValue), \(config.decoder.layers) layers, \(bytes >> 20) MiB"
        guard bytes < memory / 2 else {
          return Finding(
            .warning, subject, detail + ", more than half of the memory",
            remedy: "use --weights int8 or int4")
        }
        return Finding(.good, subject, detail)
      } catch {
        let explained = error as? any Explained
        return Finding(
          .problem, subject, explained?.problem ?? explanation(of: error),
          remedy: explained?.remedy)
      }
    }
  }

  private static func bundles() -> [Finding] {
    let found = PresetLibrary().list().filter { $0.shadowedBy == nil }
    guard !found.isEmpty else {
      return [
        Finding(
          .warning, "bundles", "there is none, so the knobs have nothing to steer",
          remedy: "make one with continuo probe train, or continuo preset install FILE")
      ]
    }
    return found.map { entry in
      let subject = "bundle \(printable(entry.url.lastPathComponent))"
      do {
        let bundle = try entry.bundle.get()
        let traits = bundle.manifest.traits.map { printable($0.id) }.joined(separator: ", ")
        guard let warning = bundle.warnings.first else {
          return Finding(.good, subject, traits)
        }
        return Finding(.warning, subject, "\(traits): \(warning)", remedy: nil)
      } catch {
        let explained = error as? any Explained
        return Finding(
          .problem, subject, explained?.problem ?? explanation(of: error),
          remedy: explained?.remedy)
      }
    }
  }
}

/// One thing that was looked at.
private struct Finding: Encodable {
  enum Verdict: String, Encodable {
    case good, warning, problem
    /// Five characters, so that the lines stand in columns.
    var mark: String {
      switch self {
      case .good: "ok   "
      case .warning: "note "
      case .problem: "FAIL "
      }
    }
  }
  var verdict: Verdict
  var subject: String
  var detail: String
  var remedy: String?

  init(_ verdict: Verdict, _ subject: String, _ detail: String, remedy: String? = nil) {
    self.verdict = verdict
    self.subject = subject
    self.detail = printable(detail, limit: 500)
    self.remedy = remedy.map { printable($0, limit: 500) }
  }
}
