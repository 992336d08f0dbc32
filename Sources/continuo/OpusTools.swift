// A sound through Opus and back, by opusenc and opusdec (Debian package opus-tools), for comparison.

import Audio
import Foundation
import Reporting

/// The two programs, where they are installed.
struct OpusTools {
  private let encoder: URL
  private let decoder: URL
  /// Kilobits per second: the lowest that opusenc offers for music.
  static let kilobits = 6

  /// nil when one of them is not in PATH.
  init?(_ environment: [String: String] = ProcessInfo.processInfo.environment) {
    let folders = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    func find(_ name: String) -> URL? {
      folders.map { URL(fileURLWithPath: $0).appendingPathComponent(name) }
        .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }
    guard let encoder = find("opusenc"), let decoder = find("opusdec") else { return nil }
    self.encoder = encoder
    self.decoder = decoder
  }

  /// What comes back of a mono sound, as long as it was.
  /// - Throws: `OpusError`, `AudioFileError`.
  func roundTrip(_ samples: [Float], rate: Int) throws -> [Float] {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("continuo-opus-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (given, coded, back) = (
      folder.appendingPathComponent("a.wav"), folder.appendingPathComponent("a.opus"),
      folder.appendingPathComponent("b.wav")
    )
    try AudioFile.write(AudioClip(rate: rate, channels: [samples]), to: given, encoding: .bits16)
    try run(
      encoder,
      ["--quiet", "--music", "--bitrate", "\(Self.kilobits)", given.path, coded.path])
    try run(decoder, ["--quiet", "--rate", "\(rate)", coded.path, back.path])
    var sound = try AudioFile.read(back, channels: .mono).resampled(to: rate).mono
    if sound.count > samples.count { sound.removeLast(sound.count - samples.count) }
    return sound + [Float](repeating: 0, count: samples.count - sound.count)
  }

  private func run(_ program: URL, _ arguments: [String]) throws {
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw OpusError.failed(
        program: program.lastPathComponent, status: process.terminationStatus)
    }
  }
}

enum OpusError: Explained {
  case failed(program: String, status: Int32)

  var kind: FailureKind { .system }
  var problem: String {
    switch self {
    case .failed(let program, let status): "\(program) ended with status \(status)"
    }
  }
  var remedy: String { "repair the package opus-tools, or give --no-opus" }
}
