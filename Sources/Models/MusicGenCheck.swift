// The golden values of a whole MusicGen checkpoint: text, codec, decoder, greedy generation.
//
// Reads what `make_musicgen.py` writes into golden.safetensors.

package import Kernels

/// Checks `golden.safetensors` of a MusicGen checkpoint.
package struct MusicGenCheck {
  private let model: MusicGen
  private let sheet: CheckSheet
  private let pool: ComputePool

  package init(model: MusicGen, sheet: CheckSheet, pool: ComputePool) {
    self.model = model
    self.sheet = sheet
    self.pool = pool
  }

  /// Whether the sheet is of this kind.
  package static func knows(_ sheet: CheckSheet) -> Bool { sheet.has("decoder_input") }

  /// Compares every tensor.
  package func run() throws {
    try checkText()
    try checkDecoder()
    try checkGeneration()
  }

  private func checkText() throws {
    guard sheet.has("text_ids") else { return }
    let states = model.textEncoder.encode(try sheet.integers("text_ids"), pool: pool)
    sheet.input("text_ids")
    try sheet.compare("text_states", states.array())
    try sheet.compare("text_projected", model.textEncoder.project(states, pool: pool).array())
  }

  private func text() throws -> TextContext {
    let states = model.textEncoder.encode(try sheet.integers("text_ids"), pool: pool)
    return TextContext(
      states: model.textEncoder.project(states, pool: pool).span, model: model.languageModel,
      pool: pool)
  }

  private func checkDecoder() throws {
    let config = model.config.decoder
    let (K, V, C) = (config.codebooks, config.cardinality, config.hidden)
    let input = try sheet.integers("decoder_input")
    sheet.input("decoder_input")
    let steps = input.count / K
    for (label, context) in [("cond", try text()), ("uncond", nil)] {
      let stream = LanguageModelStream(config: config, capacity: max(steps, 1))
      stream.text = context
      let workspace = LanguageModelWorkspace(config: config)
      var logits = [Float](repeating: 0, count: K * steps * V)
      var heads = [Float](repeating: 0, count: config.layers * steps * C)
      for step in 0..<steps {
        let tokens = (0..<K).map { input[$0 * steps + step] }
        stream.feed(tokens)
        model.languageModel.step([stream], workspace: workspace, pool: pool)
        stream.withLogits { values, _ in
          for k in 0..<K {
            for v in 0..<V { logits[(k * steps + step) * V + v] = values.span[k * V + v] }
          }
        }
        stream.withHeadOutputs { values in
          for l in 0..<config.layers {
            for c in 0..<C { heads[(l * steps + step) * C + c] = values.span[l * C + c] }
          }
        }
      }
      try sheet.compare("logits_\(label)", logits)
      try sheet.compare("heads_\(label)", heads)
    }
  }

  private func checkGeneration() throws {
    for guidance in [1, 3] {
      let name = "greedy_logits_g\(guidance)"
      guard sheet.has(name) else { continue }
      let steps = try sheet.shape(name)[0]
      let result = greedy(
        prompt: [], steps: steps, guidance: Float(guidance), text: try text())
      try sheet.compare(name, result.logits)
      try checkWave("greedy_wave_g\(guidance)", codes: result.codes)
    }
  }

  /// A generation of fixed length by the most likely codes, as the reference's `generate`.
  /// - Returns: codes (frames, K), prompt included, and the raw logits (steps, branches · K, V).
  private func greedy(prompt: [Int32], steps: Int, guidance: Float, text: TextContext)
    -> (codes: [Int32], logits: [Float])
  {
    let config = model.config.decoder
    let pattern = DelayPattern(codebooks: config.codebooks, channels: config.audioChannels)
    let frames = prompt.count / config.codebooks + steps - pattern.longestDelay
    let generator = CodeGenerator(
      model: model.languageModel, prompt: prompt, text: text,
      settings: SamplingSettings(temperature: 0, guidance: guidance), frameLimit: frames,
      pool: pool)
    var logits: [Float] = []
    for _ in 0..<steps {
      generator.step { generator in
        for stream in generator.branches {
          stream.withLogits { values, _ in logits += values.array() }
        }
      }
    }
    return (generator.codes(0..<frames), logits)
  }

  private func checkWave(_ name: String, codes: [Int32]) throws {
    sheet.skip(name, because: "the codec is not there yet")
  }
}
