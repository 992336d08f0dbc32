// Everything behind the control surface but the sound server: the house model, a real OSC socket, folders of
// its own. The generation thread does not run unless a test starts it.

import Foundation
import HouseModel
import Kernels
import Logging
import Models
import TestSupport

@testable import Engine

#if canImport(Glibc)
  import Glibc
#endif

/// The daemon's inside, with a player at a second socket.
final class LiveDesk {
  private static let house = Result { () throws -> MusicGen in
    let location = try ModelLocation.find("house", shipped: HouseModel.resources)
    return try MusicGen(folder: location.folder, weights: .f32, pool: ComputePool())
  }

  let folder: TemporaryFolder
  let exchange = AudioExchange(seconds: 1)
  let generator: Generator
  let server: ControlServer
  let port: AudioPort
  let host: LiveHost
  private let client: OSCServer
  private let here: OSCPeer
  /// What came for the player and was not taken by `ask` or `heard`.
  private var inbox: [OSCMessage] = []

  init(_ options: LiveHost.Options = LiveHost.Options()) throws {
    let folder = try TemporaryFolder()
    let model = try Self.house.get()
    self.folder = folder
    generator = Generator(
      instrument: Instrument(languageModel: model.languageModel, codec: model.codec),
      exchange: exchange, pool: ComputePool())
    let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    server = ControlServer(socket: try OSCServer(port: 0), log: log)
    port = AudioPort(
      name: "desk", connect: "none", exchange: exchange, server: "continuo-no-such-server")
    var options = options
    options.folders = DataFolders(
      data: folder.file("data"), configuration: folder.file("configuration"))
    let presets = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Presets")
    host = LiveHost(
      server: server, generator: generator, exchange: exchange, port: port, model: model,
      library: PresetLibrary(folders: [presets], installFolder: folder.file("installed")),
      options: options, log: log)
    client = try OSCServer(port: 0)
    here = OSCPeer(host: "127.0.0.1", port: server.socket.port)
  }

  func send(_ path: String, _ arguments: [OSCValue] = []) {
    client.send(OSCMessage(path, arguments), to: here)
  }

  /// One turn of the loop.
  func turn() {
    server.service(now: OSCTime.now())
    host.attend()
    inbox += client.receive().flatMap(\.messages)
  }

  /// Turns until `condition` holds; false after 20 s.
  func turns(until condition: () -> Bool) -> Bool {
    let end = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < end {
      turn()
      if condition() { return true }
      usleep(1000)
    }
    return condition()
  }

  /// The answer to a message: the first `/reply` or `/error` about its address.
  func ask(_ path: String, _ arguments: [OSCValue] = []) -> OSCMessage? {
    send(path, arguments)
    var answer: OSCMessage?
    _ = turns {
      guard
        let place = inbox.firstIndex(where: {
          ["/reply", "/error"].contains($0.path) && $0.arguments.first?.text == path
        })
      else { return false }
      answer = inbox.remove(at: place)
      return true
    }
    return answer
  }

  /// Waits for a message at `path` whose arguments are as wanted, and takes it.
  func heard(_ path: String, where isWanted: ([OSCValue]) -> Bool = { _ in true }) -> [OSCValue]? {
    var found: [OSCValue]?
    _ = turns {
      guard let place = inbox.firstIndex(where: { $0.path == path && isWanted($0.arguments) })
      else { return false }
      found = inbox.remove(at: place).arguments
      return true
    }
    return found
  }

  /// Waits for a notice that holds `text`, and takes it.
  func notice(_ text: String) -> String? {
    heard("/engine/notice") { $0.first?.text?.contains(text) == true }?.first?.text
  }

  /// What lies in the inbox at `path`, without waiting.
  func waiting(_ path: String) -> [OSCMessage] { inbox.filter { $0.path == path } }

  /// A MIDI message comes in; false when there is no room.
  func moves(_ message: UInt32) -> Bool { exchange.midiIn.offer(message) }

  /// The generation thread tells something; false when there is no room.
  func reports(_ report: EngineReport) -> Bool { generator.reports.offer(report) }

  /// What the generation thread would take now.
  func commands() -> [EngineCommand] {
    var result: [EngineCommand] = []
    while let command = generator.commands.take() {
      result.append(command)
      host.attend()
    }
    return result
  }

  /// The changes of the music among `commands`.
  func changes() -> [MusicControl] {
    commands().compactMap { if case .music(let control) = $0 { control } else { nil } }
  }

  /// Some music as the generation thread hands it over.
  func material(_ name: String, frames: Int = 30, isAutomatic: Bool = false) -> TakeMaterial {
    let K = host.instrument.codebooks
    return TakeMaterial(
      name: name, isAutomatic: isAutomatic, codes: (0..<frames * K).map { Int32($0 % 100) },
      promptFrames: 0, promptSound: [], score: [], loudness: nil, plan: WindowPlan())
  }
}
