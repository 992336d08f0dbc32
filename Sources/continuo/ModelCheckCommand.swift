// `continuo model check`: every golden tensor of a reference, computed again and compared.

import ArgumentParser
import Attribution
import Foundation
import Kernels
import Models
import Reporting

struct ModelCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Compares this build with reference values.",
    discussion: """
      Reads every *.safetensors of GOLDEN_DIR as the oracle scripts write them, computes each tensor \
      that it knows, and prints name, largest absolute error, relative error, tolerance and verdict. \
      agreement.safetensors (Training/agreement.py) holds the reference's most likely codes: 99.5 % of \
      them must be chosen here too.

      Example: continuo model check OUT/model OUT
      """)

  @Argument(help: "Model folder.") var model: String
  @Argument(help: "Folder of golden values.") var golden: String
  @Option(help: "Compute threads.") var threads: Int = 2
  @Flag(help: "Results as JSON.") var json = false

  func run() throws {
    let folder = URL(fileURLWithPath: model)
    let files = ((try? FileManager.default.contentsOfDirectory(atPath: golden)) ?? [])
      .filter { $0.hasSuffix(".safetensors") && $0 != "dit.safetensors" }.sorted()
    guard !files.isEmpty else { throw CheckError.noGolden(folder: golden) }
    let pool = ComputePool(threads: max(threads, 1))
    var results: [CheckResult] = []
    let isDiffusion = AttributionCheck.isDiffusion(folder: folder)
    let loaded = isDiffusion ? nil : try MusicGen(folder: folder)
    for file in files {
      let sheet = try CheckSheet(file: URL(fileURLWithPath: golden).appendingPathComponent(file))
      if isDiffusion {
        try AttributionCheck(diffusion: folder, sheet: sheet).run()
      } else if AttributionCheck.knowsLanguage(sheet) {
        try AttributionCheck(language: folder, sheet: sheet).run()
      } else if let loaded, AgreementCheck.knows(sheet) {
        try AgreementCheck(model: loaded, sheet: sheet, pool: pool).run()
      } else if let loaded, MusicGenCheck.knows(sheet) {
        try MusicGenCheck(model: loaded, sheet: sheet, pool: pool).run()
      }
      if let loaded, SteeringCheck.knows(sheet) {
        let place = URL(fileURLWithPath: golden).appendingPathComponent(file)
        try SteeringCheck(model: loaded.languageModel, sheet: sheet, file: place, pool: pool).run()
      }
      results += sheet.finish()
    }
    try report(results)
  }

  private func report(_ results: [CheckResult]) throws {
    func figure(_ value: Double) -> String {
      value.isNaN ? "-" : String(format: "%.2e", value)
    }
    if json {
      try printJSON(results)
    } else {
      let width = results.map(\.name.count).max() ?? 0
      for result in results {
        let name = result.name.padding(toLength: width, withPad: " ", startingAt: 0)
        let note = result.note.isEmpty ? "" : "  (\(result.note))"
        print(
          "\(name)  \(figure(result.absolute))  \(figure(result.relative))  "
            + "\(figure(result.tolerance))  \(result.status.rawValue)\(note)")
      }
      let passed = results.count { $0.status == .ok }
      let failed = results.count { $0.status == .failed }
      let missing = results.count - passed - failed
      if missing > 0 { print("\(missing) not computed") }
      print("\(passed) passed, \(failed) failed")
    }
    if results.contains(where: { $0.status == .failed }) { throw ExitCode(1) }
  }
}
