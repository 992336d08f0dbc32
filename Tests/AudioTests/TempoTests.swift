import Audio
import Foundation
import TestSupport
import Testing

/// What librosa heard; see Fixtures/Music/make_music.py.
struct HeardMusic: Decodable {
  var bpm: Double
  var chords: [[Double]]
  var tempo: Double
  var onsets: [Float]
  var chroma: [Float]

  static func all() throws -> [HeardMusic] {
    try JSONDecoder().decode(
      [HeardMusic].self, from: Data(contentsOf: fixture("Music/heard.json")))
  }

  /// The same sound as in the script: 12 s at 32 kHz.
  var sound: [Float] {
    (0..<32_000 * 12).map { index in
      let time = Double(index) / 32_000
      let beat = time * bpm / 60
      let since = (beat - beat.rounded(.down)) * 60 / bpm
      let isFirst = Int(beat) % 4 == 0
      var value = (isFirst ? 0.6 : 0.3) * exp(-40 * since) * sin(2 * .pi * 1000 * since)
      for tone in chords[Int(beat / 4) % chords.count] {
        value += 0.1 * sin(2 * .pi * tone * time)
      }
      return Float(value)
    }
  }
}

@Suite("Tempo")
struct TempoTests {
  @Test("onset strength and tempo are librosa's")
  func reference() throws {
    for heard in try HeardMusic.all() {
      let sound = heard.sound
      let onsets = Tempo.onsetStrength(of: sound, rate: 32_000)
      #expect(onsets.count == 1501)
      let largest = heard.onsets.max() ?? 1
      for (a, b) in zip(onsets, heard.onsets) { #expect(abs(a - b) <= 0.01 * largest) }
      let tempo = Tempo.beatsPerMinute(of: sound, rate: 32_000)
      #expect(abs(tempo - heard.tempo) < 0.01, "\(tempo), librosa \(heard.tempo)")
      #expect(Tempo.areSame(tempo, heard.bpm))
    }
  }

  @Test("half and double are the same tempo, five per cent more is not; silence has none")
  func same() {
    #expect(Tempo.areSame(60, 121) && Tempo.areSame(140, 70) && Tempo.areSame(100, 103.9))
    #expect(!Tempo.areSame(100, 105) && !Tempo.areSame(0, 0))
    #expect(Tempo.beatsPerMinute(of: [Float](repeating: 0, count: 64_000), rate: 32_000) == 0)
    #expect(Tempo.beatsPerMinute(of: [], rate: 32_000) == 0)
  }
}
