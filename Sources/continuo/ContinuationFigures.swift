// Whether music goes on as it began: tempo, harmony, silence and loudness behind a prompt.
//
// Source: issue “The house band”; tempo and chroma are librosa's (Audio/Tempo, Audio/Chroma), loudness is EBU R 128.
// The Python evaluation (Training/evaluate.py) measures the same with librosa itself, its loudness by RMS.

import Audio
import Foundation

/// What was measured on one continuation.
struct ContinuationFigures: Codable, Equatable {
  /// Beats per minute of the new part.
  var tempo: Double
  /// Within 4 % of the prompt's, half and double counting as the same.
  var isSameTempo: Bool
  /// Within 4 % of the song's own, where a catalogue knows it, half and double counting as the same.
  var isSongTempo: Bool?
  /// Cosine of the mean chromas.
  var chroma: Double
  /// Longest silence of the new part in seconds.
  var silence: Double
  /// Loudness of the new part minus that of the prompt, in LU.
  var change: Double

  /// Silences above this are counted, in seconds.
  static let longSilence = 2.0
  /// Loudness that silence counts as: the gate of BS.1770, in LUFS.
  static let quietest = -70.0

  /// - Parameters:
  ///   - prompt: mono sound that is continued.
  ///   - rest: what follows it.
  ///   - songTempo: the tempo of the prompt's song as it was composed, in beats per minute.
  init(of rest: [Float], behind prompt: [Float], rate: Int, songTempo: Double? = nil) {
    tempo = Tempo.beatsPerMinute(of: rest, rate: rate)
    isSameTempo = Tempo.areSame(Tempo.beatsPerMinute(of: prompt, rate: rate), tempo)
    isSongTempo = songTempo.map { [tempo] in Tempo.areSame($0, tempo) }
    chroma = Double(
      Chroma(of: prompt, rate: rate).similarity(to: Chroma(of: rest, rate: rate)))
    silence = Self.longestSilence(of: rest, rate: rate)
    func loudness(_ samples: [Float]) -> Double {
      max(Loudness(of: AudioClip(rate: rate, channels: [samples])).integrated, Self.quietest)
    }
    change = loudness(rest) - loudness(prompt)
  }

  /// The longest run of frames of 20 ms below −60 dB, in seconds.
  static func longestSilence(of samples: [Float], rate: Int) -> Double {
    let frame = max(rate / 50, 1)
    var (run, longest) = (0, 0)
    for start in stride(from: 0, through: samples.count - frame, by: frame) {
      var sum: Float = 0
      for index in start..<start + frame { sum += samples[index] * samples[index] }
      run = sum / Float(frame) < 1e-6 ? run + 1 : 0
      longest = max(longest, run)
    }
    return Double(longest * frame) / Double(rate)
  }
}

/// One prompt continued by the model, by its own song, and by another song.
struct ContinuationClip: Codable {
  var song: String
  var model: ContinuationFigures
  var own: ContinuationFigures
  var other: ContinuationFigures
  /// What the model made (T, K), prompt included, for the clips that are shown.
  var codes: [Int32]?
}
