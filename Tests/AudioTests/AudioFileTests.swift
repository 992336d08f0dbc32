import Audio
import Foundation
import Reporting
import TestSupport
import Testing

/// A way to store sound and the largest error that it may bring.
struct Stored: Sendable {
  let name: String
  let encoding: SampleEncoding
  let step: Float

  init(_ name: String, _ encoding: SampleEncoding, bits: Int?) {
    self.name = name
    self.encoding = encoding
    step = bits.map { Float(sign: .plus, exponent: 1 - $0, significand: 1) } ?? 0
  }
}

@Suite("Audio file")
struct AudioFileTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func error(_ part: AudioFile.Part = .whole, of url: URL) -> AudioFileError? {
    do {
      _ = try AudioFile.read(url, part: part)
      return nil
    } catch { return error as? AudioFileError }
  }

  @Test(
    "what is written comes back, within the format's resolution",
    arguments: [
      Stored("a.wav", .best, bits: nil), Stored("a.wav", .bits16, bits: 16),
      Stored("a.wav", .bits24, bits: 24), Stored("a.flac", .best, bits: 24),
      Stored("a.flac", .bits16, bits: 16), Stored("a.aiff", .best, bits: nil),
    ])
  func roundTrip(stored: Stored) throws {
    let left = tone(10_000, rate: 32_000)
    let clip = AudioClip(rate: 32_000, channels: [left, left.map { -0.3 * $0 }])
    try AudioFile.write(clip, to: folder.file(stored.name), encoding: stored.encoding)
    let back = try AudioFile.read(folder.file(stored.name))
    #expect(back.rate == 32_000 && back.frames == 10_000 && back.channels.count == 2)
    for (written, read) in zip(clip.channels, back.channels) {
      #expect(zip(written, read).allSatisfy { abs($0 - $1) <= stored.step })
    }
  }

  @Test("a sample above full scale is clipped in integer formats, not wrapped")
  func clipping() throws {
    let clip = AudioClip(rate: 8_000, channels: [[1.5, -1.5, 0.25]])
    try AudioFile.write(clip, to: folder.file("a.flac"))
    let back = try AudioFile.read(folder.file("a.flac")).channels[0]
    #expect(back[0] > 0.99 && back[1] == -1 && back[2] == 0.25)
  }

  @Test("the same sound gives the same bytes")
  func reproducible() throws {
    let clip = AudioClip(rate: 8_000, channels: [tone(800, rate: 8_000)])
    try AudioFile.write(clip, to: folder.file("a.wav"))
    try AudioFile.write(clip, to: folder.file("b.wav"))
    #expect(try Data(contentsOf: folder.file("a.wav")) == Data(contentsOf: folder.file("b.wav")))
  }

  @Test("parts are cut where they are asked for", arguments: ["a.wav", "a.flac"])
  func parts(name: String) throws {
    let ramp = (0..<20_000).map { Float($0) / 32_768 }
    try AudioFile.write(
      AudioClip(rate: 1_000, channels: [ramp]), to: folder.file(name), encoding: .bits24)
    func read(_ part: AudioFile.Part) throws -> ClosedRange<Int> {
      let clip = try AudioFile.read(folder.file(name), part: part)
      let values = clip.channels[0].map { Int(($0 * 32_768).rounded()) }
      #expect(values == Array(values[0]...values[values.count - 1]))
      return values[0]...values[values.count - 1]
    }
    #expect(try read(.first(seconds: 2)) == 0...1_999)
    #expect(try read(.last(seconds: 3)) == 17_000...19_999)
    #expect(try read(.last(seconds: 100)) == 0...19_999)
    #expect(try read(.range(from: 5, seconds: 1.5)) == 5_000...6_499)
    #expect(try read(.range(from: 19, seconds: 50)) == 19_000...19_999)
    guard case .partOutside = error(.range(from: 21, seconds: 1), of: folder.file(name)) else {
      Issue.record("a part behind the end must be refused")
      return
    }
  }

  @Test("eight channels become one by their mean and two by odd and even places")
  func downmix() throws {
    let clip = AudioClip(rate: 8_000, channels: (0..<8).map { [Float($0) / 16, 0] })
    try AudioFile.write(clip, to: folder.file("a.wav"))
    let mono = try AudioFile.read(folder.file("a.wav"), channels: .mono)
    let stereo = try AudioFile.read(folder.file("a.wav"), channels: .stereo)
    let mean: Float = (0 + 1 + 2 + 3 + 4 + 5 + 6 + 7) / 16 / 8
    let odd: Float = (0 + 2 + 4 + 6) / 16 / 4
    let even: Float = (1 + 3 + 5 + 7) / 16 / 4
    #expect(mono.channels == [[mean, 0]])
    #expect(stereo.channels == [[odd, 0], [even, 0]])
  }

  @Test("a mono file read as stereo is on both sides")
  func monoAsStereo() throws {
    try AudioFile.write(AudioClip(rate: 8_000, channels: [[0.5, 0.25]]), to: folder.file("a.wav"))
    let stereo = try AudioFile.read(folder.file("a.wav"), channels: .stereo)
    #expect(stereo.channels == [[0.5, 0.25], [0.5, 0.25]])
  }

  @Test("what is not there, a folder, an empty file and text are told apart")
  func notSound() throws {
    #expect(error(of: folder.file("none.wav")) == .noSuchFile(path: folder.file("none.wav").path))
    #expect(error(of: folder.url) == .notAFile(path: folder.url.path))
    try Data().write(to: folder.file("empty.wav"))
    #expect(error(of: folder.file("empty.wav")) == .empty(path: folder.file("empty.wav").path))
    try Data("not a sound at all, only words\n".utf8).write(to: folder.file("words.wav"))
    guard case .notAudio = error(of: folder.file("words.wav")) else {
      Issue.record("text must be refused as no sound")
      return
    }
    try AudioFile.write(AudioClip(rate: 8_000, channels: [[]]), to: folder.file("zero.wav"))
    #expect(error(of: folder.file("zero.wav")) == .empty(path: folder.file("zero.wav").path))
  }

  @Test("a header with a rate or a channel count beyond sense is refused with the value")
  func absurdHeader() throws {
    try AudioFile.write(AudioClip(rate: 8_000, channels: [[0, 0.5]]), to: folder.file("a.wav"))
    let good = try Data(contentsOf: folder.file("a.wav"))
    // RIFF WAVE: the rate is the 32-bit word at byte 24.
    var wrongRate = good
    wrongRate.replaceSubrange(24..<28, with: [0xFF, 0xFF, 0xFF, 0x7F])
    try wrongRate.write(to: folder.file("rate.wav"))
    guard case .absurdHeader(_, let what) = error(of: folder.file("rate.wav")) else {
      Issue.record("2147483647 Hz must be refused")
      return
    }
    #expect(what.contains("2147483647"))
  }

  @Test("a value that is no number is named with its time")
  func notFinite() throws {
    try AudioFile.write(
      AudioClip(rate: 1_000, channels: [[Float](repeating: 0.5, count: 100)]),
      to: folder.file("a.wav"))
    var bytes = try Data(contentsOf: folder.file("a.wav"))
    bytes.replaceSubrange((bytes.count - 200)..<(bytes.count - 196), with: [0, 0, 0xC0, 0x7F])
    try bytes.write(to: folder.file("b.wav"))
    #expect(
      error(of: folder.file("b.wav"))
        == .notFinite(path: folder.file("b.wav").path, second: 0.05))
  }

  @Test("a file longer than memory should hold is refused, its end can still be read")
  func tooLong() throws {
    try AudioFile.write(
      AudioClip(rate: 1_000, channels: [tone(5_000, rate: 1_000)]), to: folder.file("a.wav"))
    #expect(throws: AudioFileError.self) {
      try AudioFile.read(folder.file("a.wav"), sampleLimit: 4_000)
    }
    let end = try AudioFile.read(folder.file("a.wav"), part: .last(seconds: 1), sampleLimit: 4_000)
    #expect(end.frames == 1_000)
  }
}
