import CSndFile
import Foundation
import TestSupport
import Testing

@testable import Audio

@Suite("Sound file handle")
struct SoundFileHandleTests {
  private let folder: TemporaryFolder
  private static let format = Int32(SF_FORMAT_WAV) | Int32(SF_FORMAT_FLOAT)

  init() throws { folder = try TemporaryFolder() }

  private func path(_ name: String) -> String { folder.file(name).path }

  private func write(_ samples: [Float], channels: Int = 2, format: Int32 = format) throws {
    let handle = try #require(
      SoundFileHandle.writing(
        path("a.wav"), rate: 48_000, channels: channels, format: format
      ) { _, words in
        Issue.record("\(words)")
      })
    let frames = samples.count / channels
    #expect(handle.write(samples, frames: frames) == frames)
    #expect(handle.close() == 0)
  }

  @Test("what is written is read again from any frame on")
  func roundTrip() throws {
    try write((0..<200).map { Float($0) / 256 })
    let handle = try #require(SoundFileHandle.reading(path("a.wav")) { _, _ in })
    #expect(
      handle.info.frames == 100 && handle.info.channels == 2 && handle.info.samplerate == 48_000)
    var block = [Float](repeating: 9, count: 20)
    #expect(handle.read(&block, frames: 10) == 10 && block == (0..<20).map { Float($0) / 256 })
    #expect(handle.seek(to: 95))
    block = [Float](repeating: 9, count: 20)
    #expect(handle.read(&block, frames: 10) == 5, "only what is there")
    #expect(block[..<10] == ArraySlice((190..<200).map { Float($0) / 256 }))
    #expect(handle.read(&block, frames: 10) == 0)
    #expect(!handle.seek(to: 1_000) && handle.failure.code != 0 && !handle.failure.words.isEmpty)
  }

  @Test("above full scale is clipped, not wrapped")
  func clipping() throws {
    try write(
      [0.5, 1.5, -1.5, 3], channels: 1, format: Int32(SF_FORMAT_WAV) | Int32(SF_FORMAT_PCM_16))
    let handle = try #require(SoundFileHandle.reading(path("a.wav")) { _, _ in })
    var block = [Float](repeating: 0, count: 4)
    #expect(handle.read(&block, frames: 4) == 4)
    #expect(block[0] == 0.5 && block[1] > 0.99 && block[2] <= -0.99 && block[3] > 0.99)
  }

  @Test("two renders of the same sound are the same bytes: no time stamp")
  func bytes() throws {
    var found: [Data] = []
    for _ in 0..<2 {
      try write([0.1, 0.2, 0.3, 0.4])
      found.append(try Data(contentsOf: folder.file("a.wav")))
    }
    #expect(found[0] == found[1])
  }

  @Test("a refusal is told in words; a handle may be closed twice")
  func refusals() throws {
    var told: [String] = []
    #expect(SoundFileHandle.reading(path("none.wav")) { told.append("\($0) \($1)") } == nil)
    try Data("no sound".utf8).write(to: folder.file("text.wav"))
    #expect(SoundFileHandle.reading(path("text.wav")) { told.append("\($0) \($1)") } == nil)
    #expect(
      SoundFileHandle.writing(path("x.wav"), rate: 48_000, channels: 0, format: Self.format) {
        told.append("\($0) \($1)")
      } == nil)
    #expect(told.count == 3 && told.allSatisfy { $0.count > 3 && !$0.hasPrefix("0 ") })
    try write([0, 0])
    let handle = try #require(SoundFileHandle.reading(path("a.wav")) { _, _ in })
    #expect(handle.close() == 0 && handle.close() == 0)
    var block: [Float] = [9, 9]
    #expect(
      handle.read(&block, frames: 1) == 0 && block == [9, 9], "nothing is read from a closed one")
  }
}
