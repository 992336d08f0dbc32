import Foundation
import TestSupport
import Testing

@testable import Attribution

#if canImport(Glibc)
  import Glibc
#endif

@Suite("continuo-worker and a job that kills it", .serialized)
struct JobWorkerTests {
  @Test("three workers die of it, the fourth one gives it up and goes on with the next job")
  func poison() throws {
    let tiny = try TinyDiffusion()
    let file = tiny.folder.file("jobs.sqlite")
    let store = try JobStore(file: file)
    // A model whose weights never come: whoever takes this job waits for them, and is killed here.
    let model = tiny.folder.file("hangs")
    try FileManager.default.copyItem(at: tiny.model, to: model)
    let weights = try #require(
      try FileManager.default.contentsOfDirectory(atPath: model.path).first {
        $0.hasSuffix(".safetensors")
      })
    try FileManager.default.removeItem(at: model.appendingPathComponent(weights))
    let made = unsafe mkfifo(model.appendingPathComponent(weights).path, 0o600)
    #expect(made == 0)
    var poisoned = tiny.request(out: "never")
    poisoned.model = model.path
    let bad = try store.add(request: try JSONEncoder().encode(poisoned))
    let good = try store.add(request: try JSONEncoder().encode(tiny.request(out: "good")))

    let arguments = [
      "--once", "--store", file.path, "--cache", tiny.folder.file("cache").path, "--osc-port", "0",
    ]
    for attempt in 1...3 {
      let process = Process()
      process.executableURL = builtProducts.appendingPathComponent("continuo-worker")
      process.arguments = arguments
      process.standardOutput = FileHandle.nullDevice
      try process.run()
      var taken: Job?
      for _ in 0..<1000 where taken?.attempts != attempt {
        usleep(20_000)
        taken = try store.job(bad)
      }
      #expect(taken?.state == .running && taken?.attempts == attempt)
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
    }
    let last = try runProgram("continuo-worker", arguments)
    #expect(last.status == 0, "\(last.errors)")
    #expect(last.output.contains("job \(bad): failed, given up"), "\(last.output)")
    #expect(last.output.contains("job \(good): done"))
    let shown = try runProgram("continuo", ["attribute", "jobs", "--store", file.path, "--json"])
    let jobs = try #require(
      try JSONSerialization.jsonObject(with: Data(shown.output.utf8)) as? [[String: Any]])
    #expect(jobs[0]["attempts"] as? Int == 3 && jobs[0]["state"] as? String == "failed")
    #expect((jobs[0]["message"] as? String)?.contains("without a word 3 times") == true)
    #expect(jobs[1]["attempts"] as? Int == 1)
  }
}
