import Audio
import Foundation
import TestSupport
import Testing

/// Sound files from strangers: refused or read, never a crash.
@Suite("Broken sound files")
struct BrokenSoundTests {
  @Test("of every format that is written here", arguments: ["wav", "flac", "ogg", "aiff"])
  func formats(ending: String) throws {
    let folder = try TemporaryFolder()
    let clip = AudioClip(
      rate: 8_000, channels: [tone(4_000, rate: 8_000), tone(4_000, rate: 8_000, hertz: 300)])
    try AudioFile.write(clip, to: folder.file("good." + ending))
    let good = try Data(contentsOf: folder.file("good." + ending))
    fuzz("sound-" + ending, [good], rounds: 120) { bytes in
      try bytes.write(to: folder.file("bad"))
      for part in [AudioFile.Part.whole, .last(seconds: 0.1), .range(from: 0.2, seconds: 0.1)] {
        let read = try AudioFile.read(
          folder.file("bad"), part: part, channels: .stereo, sampleLimit: 1 << 20)
        #expect(read.frames > 0 && read.peak.isFinite)
      }
    }
  }
}
