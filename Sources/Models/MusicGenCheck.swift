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
    try checkCodec()
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
    model.context(ofTextIDs: try sheet.integers("text_ids"), pool: pool)
  }

  private func checkCodec() throws {
    if sheet.has("wave_codes") {
      sheet.input("wave")
      try checkCodes("wave_codes", of: try sheet.floats("wave"))
    }
    if sheet.has("codes_wave") {
      sheet.input("codes")
      let shape = Array(try sheet.shape("codes").suffix(2))
      let codes = transpose(try sheet.integers("codes"), rows: shape[0])
      try sheet.compare("codes_wave", model.codec.decode(codes, codebooks: shape[0], pool: pool))
    }
  }

  /// Compares codes, excusing those where the reference's two best distances are equal to 1e-5.
  private func checkCodes(_ name: String, of wave: [Float]) throws {
    let shape = Array(try sheet.shape(name).suffix(2))
    let (books, frames) = (shape[0], shape[1])
    let expected = transpose(try sheet.integers(name), rows: books)
    let latents = try model.codec.latents(of: wave, pool: pool)
    let codes = model.codec.quantise(latents, codebooks: books, pool: pool)
    var excused = 0
    for frame in 0..<min(frames, codes.count / books) {
      let range = frame * books..<(frame + 1) * books
      let (ours, reference) = (Array(codes[range]), Array(expected[range]))
      guard let first = ours.indices.first(where: { ours[$0] != reference[$0] }) else { continue }
      let width = model.codec.config.hiddenSize
      let latent = Array(latents[frame * width..<(frame + 1) * width])
      if isTie(
        latent, before: Array(reference[..<first]), candidates: (ours[first], reference[first]))
      {
        excused += ours.indices.count { ours[$0] != reference[$0] }
      }
    }
    try sheet.compare(name, transpose(codes, rows: codes.count / books), excused: excused)
  }

  /// Whether two codes of the next book are equally near to what the books before left over.
  private func isTie(_ latent: [Float], before: [Int32], candidates: (Int32, Int32)) -> Bool {
    func distance(_ code: Int32) -> Double {
      var sum = [Float](repeating: 0, count: latent.count)
      var target = sum.mutableSpan
      let codes = before + [code]
      model.codec.quantiser.decode(codes.span, count: 1, books: codes.count, into: &target)
      return zip(latent, sum).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
    }
    let (a, b) = (distance(candidates.0), distance(candidates.1))
    return abs(a - b) < 1e-5 * max(a, b)
  }

  /// The transpose of a matrix of `rows` rows.
  private func transpose(_ values: [Int32], rows: Int) -> [Int32] {
    let columns = values.count / max(rows, 1)
    return (0..<columns).flatMap { column in (0..<rows).map { values[$0 * columns + column] } }
  }

  private func checkDecoder() throws {
    guard sheet.has("decoder_input") else { return }
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
      let perChannel = model.config.decoder.codebooks / model.config.decoder.audioChannels
      // The reference leaves the delay pattern out where the start token and the steps are too few for
      // it (build_delay_pattern_mask); Continuo itself always plays with the pattern.
      let result =
        steps + 1 < 2 * perChannel - 1
        ? greedyWithoutDelay(steps: steps, guidance: Float(guidance), text: try text())
        : greedy(prompt: [], steps: steps, guidance: Float(guidance), text: try text())
      try sheet.compare(name, result.logits)
      try checkWave("greedy_wave_g\(guidance)", codes: result.codes)
    }
    guard sheet.has("continued_wave") else { return }
    let promptWave = try sheet.floats("continued_prompt_wave")
    sheet.input("continued_prompt_wave")
    let shape = Array(try sheet.shape("prompt_codes").suffix(2))
    // The golden prompt codes were decoded to the golden prompt audio; the reference then encoded
    // that audio again, which is where the continuation starts.
    let golden = transpose(try sheet.integers("prompt_codes"), rows: shape[0])
    let decoded = try model.decode(golden, pool: pool).flatMap { $0 }
    try sheet.compare("continued_prompt_wave", decoded)
    sheet.input("prompt_codes")
    let prompt = try model.encode([promptWave], pool: pool)
    let frames = try sheet.shape("continued_wave")[2] / model.hop
    let steps = frames - prompt.count / shape[0] + model.config.decoder.codebooks - 1
    let result = greedy(prompt: prompt, steps: steps, guidance: 1, text: try text())
    try checkWave("continued_wave", codes: result.codes)
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

  /// A generation from nothing in which every step draws all books of one frame.
  /// - Returns: codes (steps, K) and the raw logits (steps, branches · K, V).
  private func greedyWithoutDelay(steps: Int, guidance: Float, text: TextContext)
    -> (codes: [Int32], logits: [Float])
  {
    let config = model.config.decoder
    let workspace = LanguageModelWorkspace(config: config)
    let streams = (0..<(guidance == 1 ? 1 : 2)).map { branch in
      let stream = LanguageModelStream(config: config, capacity: steps)
      if branch == 0 { stream.text = text }
      return stream
    }
    var tokens = [Int32](repeating: Int32(config.cardinality), count: config.codebooks)
    var (codes, logits): ([Int32], [Float]) = ([], [])
    for _ in 0..<steps {
      for stream in streams { stream.feed(tokens) }
      model.languageModel.step(streams, workspace: workspace, pool: pool)
      let read = streams.map { stream in
        var values: [Float] = []
        stream.withLogits { found, _ in values = found.array() }
        return values
      }
      for values in read { logits += values }
      for k in 0..<config.codebooks {
        let scores = (0..<config.cardinality).map { v in
          let at = k * config.cardinality + v
          guard read.count == 2 else { return read[0][at] }
          return read[1][at] + guidance * (read[0][at] - read[1][at])
        }
        tokens[k] = Int32(scores.indices.max { scores[$0] < scores[$1] }!)
      }
      codes += tokens
    }
    return (codes, logits)
  }

  /// Compares the audio of codes (frames, K) with golden audio (1, channels, samples).
  private func checkWave(_ name: String, codes: [Int32]) throws {
    try sheet.compare(name, try model.decode(codes, pool: pool).flatMap { $0 })
  }
}
