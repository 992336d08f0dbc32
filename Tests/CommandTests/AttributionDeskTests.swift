import Audio
import Engine
import Foundation
import TestSupport
import Testing

/// `/attribution/start` from the take to the result: a real daemon, a real worker, a tiny model.
@Suite("Attribution over OSC", .serialized)
struct AttributionDeskTests {
  private static let model = fixture("MusicGen/mono/model").path

  /// Asks for something and returns what comes within a second.
  private func ask(_ socket: OSCServer, _ peer: OSCPeer, _ path: String, _ values: [OSCValue] = [])
    -> [OSCMessage]
  {
    socket.send(OSCMessage(path, values), to: peer)
    return listen(socket, seconds: 20) { message in
      ["/reply", "/error"].contains(message.path) && message.arguments.first?.text == path
    }
  }

  /// What comes until `isLast`.
  private func listen(_ socket: OSCServer, seconds: Double, until isLast: (OSCMessage) -> Bool)
    -> [OSCMessage]
  {
    var heard: [OSCMessage] = []
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
      heard += socket.receive().flatMap(\.messages)
      if heard.contains(where: isLast) { return heard }
      usleep(5_000)
    }
    return heard
  }

  /// A catalogue of four tones for the tiny model, by the program itself.
  private func makeCatalogue(_ folder: URL) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for (name, pitch) in [("a", 110.0), ("b", 220.0), ("c", 330.0), ("d", 550.0)] {
      let samples = (0..<64000).map { Float(0.4 * sin(2 * .pi * pitch * Double($0) / 32000)) }
      try AudioFile.write(
        AudioClip(rate: 32000, channels: [samples]),
        to: folder.appendingPathComponent("\(name).wav"))
      try Data(#"{"title": "Tone \#(name)", "artist": "The Forks", "licence": "CC0-1.0"}"#.utf8)
        .write(to: folder.appendingPathComponent("\(name).json"))
    }
    let built = try runProgram(
      "continuo", ["catalogue", "build", folder.path, "--model", Self.model])
    #expect(built.status == 0, "\(built.errors)")
  }

  @Test(
    "a kept take is attributed by the worker, who is heard by the daemon's subscribers",
    .enabled(if: JackServer.isInstalled))
  func whole() throws {
    let server = JackServer()
    defer { server.stop() }
    try #require(server.waits())
    let home = try TemporaryFolder()
    let catalogue = home.file("catalogue")
    let daemon = try #require(
      try RunningDaemon(
        server: server.name, ["--model", Self.model, "--catalogue", catalogue.path], folder: home))
    defer { daemon.stop() }
    try #require(daemon.waitsForJACK(), "\(daemon.log)")
    let socket = try OSCServer(port: 0)
    let peer = OSCPeer(host: "127.0.0.1", port: daemon.port)
    _ = ask(socket, peer, "/subscribe", [.string("/*"), .int(600)])

    func error(_ path: String, _ values: [OSCValue]) -> String {
      ask(socket, peer, path, values).first { $0.path == "/error" }?.arguments.last?.text ?? ""
    }
    #expect(error("/attribution/start", []).contains("got 0 arguments"))
    #expect(error("/attribution/start", [.string("../x")]).contains("is no name"))
    #expect(error("/attribution/start", [.string("never")]).contains("no take named never"))
    #expect(error("/attribution/cancel", [.string("77")]).contains("no job named 77"))
    #expect(error("/attribution/cancel", [.string("x")]).contains("no job named x"))

    socket.send(OSCMessage("/transport/continue", [.float(0)]), to: peer)
    try #require(daemon.waits(for: "joined"), "\(daemon.log)")
    sleep(3)
    socket.send(OSCMessage("/take/keep", [.string("first")]), to: peer)
    try #require(daemon.waits(for: "kept first"), "\(daemon.log)")
    #expect(error("/attribution/start", [.string("first")]).contains("there is no catalogue"))
    try makeCatalogue(catalogue)

    func start() throws -> String {
      let answers = ask(socket, peer, "/attribution/start", [.string("first")])
      return try #require(
        answers.first { $0.path == "/reply" }?.arguments.last?.text, "\(answers)\n\(daemon.log)")
    }
    // A job that nobody has taken yet can be called off.
    let unwanted = try start()
    let ended = ask(socket, peer, "/attribution/cancel", [.string(unwanted)])
    #expect(ended.contains { $0.path == "/reply" && $0.arguments.last?.text == "ok" })
    let job = try start()
    #expect(job != unwanted)
    // Nobody works on it: that is said once, and not of the job that was called off.
    let waits = listen(socket, seconds: 30) { message in
      message.path == "/engine/notice" && message.arguments[0].text?.contains("waits") == true
    }.compactMap { $0.path == "/engine/notice" ? $0.arguments[0].text : nil }
    #expect(waits.contains { $0.contains("job \(job) waits: start continuo-worker") }, "\(waits)")
    #expect(!waits.contains { $0.contains("job \(unwanted) waits") })

    let worked = try runProgram(
      "continuo-worker", ["--once", "--cache", home.file("fisher").path],
      environment: ["XDG_STATE_HOME": home.file("state").path])
    #expect(worked.status == 0 && worked.output.contains("job \(job): done"), "\(worked.output)")
    let heard = listen(socket, seconds: 10) { message in
      message.path == "/engine/notice" && message.arguments[0].text?.contains("owes most") == true
    }
    let steps = heard.filter { $0.path == "/attribution/progress" }
    #expect(!steps.isEmpty && steps.allSatisfy { $0.types == "sff" })
    #expect(steps.allSatisfy { $0.arguments[0].text == job })
    #expect(steps.allSatisfy { (0...1).contains($0.arguments[1].number ?? -1) })
    let result = try #require(
      heard.last { $0.path == "/attribution/result" && $0.arguments[0].text == job })
    let json = try #require(
      try JSONSerialization.jsonObject(with: Data((result.arguments[1].text ?? "").utf8))
        as? [String: Any])
    #expect(json["state"] as? String == "done" && json["take"] as? String == "first")
    let tracks = try #require(json["tracks"] as? [[String: Any]])
    #expect(tracks.count == 4 && tracks.allSatisfy { $0["artist"] as? String == "The Forks" })
    let report = try #require(json["report"] as? String)
    #expect(report.hasSuffix("takes/first/attribution"))
    #expect(FileManager.default.fileExists(atPath: report + "/report.html"))
    let notice = try #require(heard.last { $0.path == "/engine/notice" }?.arguments[0].text)
    #expect(notice.contains("first owes most to “Tone ") && notice.contains("by The Forks"))
    #expect(error("/attribution/cancel", [.string(job)]).contains("it is over"))

    // A failure is told as well: the take is gone before the worker comes.
    let lost = try start()
    try FileManager.default.removeItem(at: home.file("data/continuo/takes/first/codes.safetensors"))
    _ = try runProgram(
      "continuo-worker", ["--once", "--cache", home.file("fisher").path],
      environment: ["XDG_STATE_HOME": home.file("state").path])
    let failed = listen(socket, seconds: 10) { message in
      message.path == "/attribution/result" && message.arguments[0].text == lost
    }.last { $0.path == "/attribution/result" }
    #expect(failed?.arguments[1].text?.contains("\"failed\"") == true, "\(daemon.log)")

    // Strangers cannot make the daemon say such things in the wrong form.
    #expect(error("/attribution/progress", [.int(1)]).contains("is only sent by the daemon"))
  }
}
