// Time, as pure arithmetic: frames of the sound server, samples of the model, steps of the language model.
//
// A step is one pass of the language model (50 per second), a frame of the model 640 samples at 32 kHz,
// a server frame one sample period of the sound server. Source: METHOD 5 (ours).

/// Where a model's music lies on the engine's clock.
///
/// The anchor is the engine frame at which model sample 0 is to be heard, capture and playback latency
/// already taken out. Rates are exact: server frame n of the anchor is model sample n · model / server.
package struct Timeline: Sendable, Equatable {
  /// Samples per second of the model: 32000.
  package let modelRate: Int
  /// Samples per model frame: 640.
  package let hop: Int
  /// Steps that the last codebook is late: K − 1 = 3.
  package let longestDelay: Int
  /// Samples behind the newest whole frame that are not final yet: 2402.
  package let lookahead: Int
  /// Frames per second of the sound server.
  package let serverRate: Int
  /// Engine frame of model sample 0.
  package let anchor: Int

  package init(
    modelRate: Int = 32000, hop: Int = 640, longestDelay: Int = 3, lookahead: Int = 2402,
    serverRate: Int, anchor: Int
  ) {
    precondition(modelRate > 0 && hop > 0 && serverRate > 0)
    self.modelRate = modelRate
    self.hop = hop
    self.longestDelay = longestDelay
    self.lookahead = lookahead
    self.serverRate = serverRate
    self.anchor = anchor
  }

  /// From a decision to its sound: one step, the delay pattern, the decoder; 4962 samples, 155.06 ms.
  package var floorSamples: Int { (1 + longestDelay) * hop + lookahead }
  /// The same in seconds.
  package var floorSeconds: Double { Double(floorSamples) / Double(modelRate) }
  /// Seconds per step: 0.02.
  package var stepSeconds: Double { Double(hop) / Double(modelRate) }

  /// Samples that no step from `step` on can change any more.
  package func finalSamples(beforeStep step: Int) -> Int {
    max(0, (step - 1 - longestDelay) * hop - lookahead)
  }

  /// The first step whose sound begins at model sample `sample` or later: everything before that sample
  /// stays what it is when this step is drawn again.
  package func firstStep(audibleFrom sample: Int) -> Int {
    let behind = sample + lookahead
    return 1 + longestDelay + (behind > 0 ? (behind + hop - 1) / hop : 0)
  }

  /// The last engine frame at or before model sample `sample`.
  package func frame(ofSample sample: Int) -> Int {
    anchor + floorDivide(sample * serverRate, modelRate)
  }

  /// The first model sample at or after engine frame `frame`.
  package func sample(atFrame frame: Int) -> Int {
    -floorDivide(-(frame - anchor) * modelRate, serverRate)
  }

  /// The same music for a server of another rate: the model sample that sounds at engine frame `frame`
  /// stays where it is.
  package func changed(toServerRate rate: Int, at frame: Int) -> Timeline {
    let sample = Double(frame - anchor) * Double(modelRate) / Double(serverRate)
    return Timeline(
      modelRate: modelRate, hop: hop, longestDelay: longestDelay, lookahead: lookahead,
      serverRate: rate, anchor: frame - Int((sample * Double(rate) / Double(modelRate)).rounded()))
  }
}

/// a / b towards minus infinity, b > 0.
func floorDivide(_ a: Int, _ b: Int) -> Int {
  let quotient = a / b
  return a % b < 0 ? quotient - 1 : quotient
}
