import Audio
import Foundation
import Reporting
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite("Audio file writer")
struct AudioFileWriterTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test("blocks of any size join without a seam")
  func stream() throws {
    let whole = tone(30_000, rate: 32_000)
    var random = TestRandom(seed: 1)
    try AudioFile.write(to: folder.file("a.wav"), rate: 32_000, channels: 1) { writer in
      var start = 0
      while start < whole.count {
        let end = min(whole.count, start + Int.random(in: 0...9_000, using: &random))
        try writer.append([Array(whole[start..<end])])
        start = end
      }
    }
    #expect(try AudioFile.read(folder.file("a.wav")).channels == [whole])
  }

  @Test("a failure half way leaves nothing")
  func failure() throws {
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try AudioFile.write(to: folder.file("a.flac"), rate: 32_000, channels: 1) { writer in
        try writer.append([tone(10_000, rate: 32_000)])
        throw Stop()
      }
    }
    #expect(try folder.names().isEmpty)
  }

  @Test("an ending that names no format is a usage error before anything is made")
  func ending() throws {
    #expect {
      try AudioFile.write(to: folder.file("a.xyz"), rate: 32_000, channels: 1) { _ in
        Issue.record("must not be reached")
      }
    } throws: { ($0 as? AudioFileError)?.kind == .usage }
    #expect(try folder.names().isEmpty)
    #expect(AudioFile.canWrite(folder.file("a.FLAC")) && !AudioFile.canWrite(folder.file("a")))
  }

  @Test("a folder that does not exist is named")
  func missingFolder() throws {
    let clip = AudioClip(rate: 8_000, channels: [[0]])
    #expect {
      try AudioFile.write(clip, to: folder.file("none/a.wav"))
    } throws: { ($0 as? OutputError)?.kind == .cannotCreate }
  }

  @Test("rates and channel counts that a format cannot hold are refused, not trapped")
  func refused() throws {
    let clip = AudioClip(rate: 32_000, channels: [[Float]](repeating: [0, 0], count: 12))
    #expect(throws: AudioFileError.self) { try AudioFile.write(clip, to: folder.file("a.flac")) }
    #expect(try folder.names().isEmpty)
  }

  @Test(
    "a full disk is an error, and leaves nothing", .enabled(if: geteuid() == 0, "needs to mount"),
    arguments: ["a.wav", "a.flac", "a.ogg"])
  func fullDisk(name: String) throws {
    let mounted = unsafe mount("tmpfs", folder.url.path, "tmpfs", 0, "size=16k") == 0
    guard mounted else {
      withKnownIssue("no right to mount here: not tested", isIntermittent: true) {
        Issue.record("not tested")
      }
      return
    }
    defer { unsafe _ = umount2(folder.url.path, Int32(MNT_DETACH)) }
    var random = TestRandom(seed: 9)
    let noise = (0..<200_000).map { _ in Float.random(in: -1...1, using: &random) }
    #expect {
      try AudioFile.write(AudioClip(rate: 32_000, channels: [noise]), to: folder.file(name))
    } throws: { ($0 as? OutputError)?.kind == .inputOutput }
    #expect(try folder.names().isEmpty)
  }
}
