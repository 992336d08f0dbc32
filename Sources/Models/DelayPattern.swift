// The delay pattern: where in the token stream the codes of a frame stand.
//
// Codebook k of frame t stands at step 1 + t + delay(k); step 0 and every empty place hold the special
// token. Mono: delay(k) = k. Stereo, codebooks L1 R1 L2 R2 …: delay(k) = k / 2. Source: audiocraft's
// delayed codebook pattern, as transformers' build_delay_pattern_mask applies it.

/// Delays of the codebooks of a model.
package struct DelayPattern: Sendable, Equatable {
  /// K.
  package let codebooks: Int
  /// Codebooks that share a delay: 1 mono, 2 stereo.
  package let channels: Int

  package init(codebooks: Int, channels: Int) {
    precondition(codebooks > 0 && channels > 0 && codebooks % channels == 0)
    self.codebooks = codebooks
    self.channels = channels
  }

  /// Steps that codebook `k` is late.
  package func delay(_ k: Int) -> Int { k / channels }

  /// The largest delay: K/channels − 1.
  package var longestDelay: Int { (codebooks - 1) / channels }

  /// The frame whose code of codebook `k` stands at `step`; negative where the special token stands.
  package func frame(step: Int, codebook k: Int) -> Int { step - 1 - delay(k) }

  /// The step at which the last code of `frame` stands.
  package func lastStep(ofFrame frame: Int) -> Int { 1 + frame + longestDelay }

  /// Frames that are whole after the tokens of the steps up to and including `step` are known.
  package func wholeFrames(afterStep step: Int) -> Int { max(0, step - longestDelay) }
}
