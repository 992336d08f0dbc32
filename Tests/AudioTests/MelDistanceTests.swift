import Audio
import Foundation
import TestSupport
import Testing

@Suite("Mel distance")
struct MelDistanceTests {
  /// What Training/codec_losses.py found; see Fixtures/Music/make_mel.py.
  private struct Row: Decodable {
    var reference: String
    var sound: String
    var mel: Double
    var distortion: Double
  }

  private func sound(_ name: String) -> [Float] {
    (0..<16_000).map { index in
      let time = Double(index) / 32_000
      func sine(_ hertz: Double, _ phase: Double = 0) -> Double {
        sin(2 * .pi * hertz * time + phase)
      }
      return switch name {
      case "chord": Float(0.2 * sine(220) + 0.1 * sine(660))
      case "sweep": Float(0.3 * sine(100 + 8000 * time))
      default: Float(0.2 * sine(222) + 0.1 * sine(660, 1))
      }
    }
  }

  @Test("log-mel distance and SI-SDR are those that the codec's training computes")
  func reference() throws {
    let rows = try JSONDecoder().decode(
      [Row].self, from: Data(contentsOf: fixture("Music/mel.json")))
    #expect(rows.count == 9)
    let measure = MelDistance(rate: 32_000)
    for row in rows {
      let (a, b) = (sound(row.reference), sound(row.sound))
      let distance = measure.distance(measure.spectra(of: a), measure.spectra(of: b))
      #expect(abs(distance - row.mel) <= 1e-3 * max(row.mel, 1e-3), "\(row) \(distance)")
      let ratio = scaleInvariantDistortion(of: b, reference: a)
      // Equal sounds are as good as the guards against division by zero allow.
      if row.reference == row.sound {
        #expect(distance == 0 && ratio > 80)
      } else {
        #expect(abs(ratio - row.distortion) < 0.02, "\(row) \(ratio)")
      }
    }
  }
}
