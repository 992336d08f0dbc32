// The loss of the MusicGen language model on a window of codes: the whole sequence at once,
// teacher-forced, in large matrix products. The backward pass is in LanguageModelGradient.swift.
//
// In: codes (K, T), frame by frame, and optionally text states (S, C) after `enc_to_dec_proj`.
// Out: the mean over all K · T codes of the cross entropy under the delay pattern, in nats: codebook
// k of frame t stands at step 1 + t + delay(k), and the logits of the step before predict it.
// Source: transformers `MusicgenForCausalLM`; METHOD 1 and 6 [published code]. Tensor names are the
// checkpoint's below `decoder.`; without text the cross-attention does not run and has no gradient.
//
// Letters: T steps of input (frames + the largest delay), C hidden, F feed-forward, S text.

internal import Kernels
import RealModule

/// The language model as a function of its parameters.
package struct LanguageModelLoss: Sendable {
  package let config: LanguageModelConfig
  /// Delay of each codebook in steps.
  package let delays: [Int]
  package let layout: ParameterLayout
  let embeddings: [Int]
  let heads: [Int]
  let lastNorm: Norm
  let layers: [Layer]

  /// The prefix of the layout's names in a checkpoint.
  package static let prefix = "decoder."

  struct Norm {
    let weight: Int
    let bias: Int
  }
  struct Attention {
    let norm: Norm
    let q: Int
    let k: Int
    let v: Int
    let out: Int
  }
  struct Layer {
    let prefix: String
    let own: Attention
    let cross: Attention?
    let norm: Norm
    let fc1: Int
    let fc2: Int
  }

  /// - Parameters:
  ///   - delays: one per codebook; 0, 1, 2 … of the delay pattern, in pairs for stereo.
  ///   - hasText: whether the cross-attention's tensors belong to the layout.
  package init(config: LanguageModelConfig, delays: [Int]? = nil, hasText: Bool = false) {
    self.config = config
    self.delays = delays ?? (0..<config.codebooks).map { $0 / config.audioChannels }
    precondition(self.delays.count == config.codebooks, "one delay per codebook")
    let c = config.hidden
    var tensors: [(name: String, shape: [Int])] = []
    for k in 0..<config.codebooks {
      tensors.append(("model.decoder.embed_tokens.\(k).weight", [config.cardinality + 1, c]))
    }
    for l in 0..<config.layers {
      let p = "model.decoder.layers.\(l)."
      for attention in hasText ? ["self_attn", "encoder_attn"] : ["self_attn"] {
        tensors.append((p + attention + "_layer_norm.weight", [c]))
        tensors.append((p + attention + "_layer_norm.bias", [c]))
        for name in ["q_proj", "k_proj", "v_proj", "out_proj"] {
          tensors.append((p + attention + "." + name + ".weight", [c, c]))
        }
      }
      tensors.append((p + "final_layer_norm.weight", [c]))
      tensors.append((p + "final_layer_norm.bias", [c]))
      tensors.append((p + "fc1.weight", [config.feedForward, c]))
      tensors.append((p + "fc2.weight", [c, config.feedForward]))
    }
    tensors.append(("model.decoder.layer_norm.weight", [c]))
    tensors.append(("model.decoder.layer_norm.bias", [c]))
    for k in 0..<config.codebooks {
      tensors.append(("lm_heads.\(k).weight", [config.cardinality, c]))
    }
    let layout = ParameterLayout(tensors)
    func norm(_ name: String) -> Norm {
      Norm(weight: layout[name + ".weight"], bias: layout[name + ".bias"])
    }
    func attention(_ name: String) -> Attention {
      Attention(
        norm: norm(name + "_layer_norm"), q: layout[name + ".q_proj.weight"],
        k: layout[name + ".k_proj.weight"], v: layout[name + ".v_proj.weight"],
        out: layout[name + ".out_proj.weight"])
    }
    embeddings = (0..<config.codebooks).map { layout["model.decoder.embed_tokens.\($0).weight"] }
    heads = (0..<config.codebooks).map { layout["lm_heads.\($0).weight"] }
    lastNorm = norm("model.decoder.layer_norm")
    layers = (0..<config.layers).map { l in
      let p = "model.decoder.layers.\(l)."
      return Layer(
        prefix: p, own: attention(p + "self_attn"),
        cross: hasText ? attention(p + "encoder_attn") : nil, norm: norm(p + "final_layer_norm"),
        fc1: layout[p + "fc1.weight"], fc2: layout[p + "fc2.weight"])
    }
    self.layout = layout
  }

  /// A window of music as the model sees it.
  package struct Window: Sendable {
    /// (K, T), codebook by codebook, each 0 ..< V.
    package let codes: [Int32]
    package let frames: Int
    /// Text states (S, C), or empty for none.
    package let text: [Float]
    /// Which frames count in the loss (M_U, M_L of METHOD 6); nil for all.
    package let mask: [Bool]?

    package init(codes: [Int32], frames: Int, text: [Float] = [], mask: [Bool]? = nil) {
      self.codes = codes
      self.frames = frames
      self.text = text
      self.mask = mask
    }
  }

  /// Everything between input and loss, for windows of one length.
  ///
  /// Activations of every layer are kept when `keepsLayers`, else of one layer at a time, and the
  /// backward pass computes them again from the layer's input.
  package final class Workspace {
    package let frames: Int
    package let text: Int
    package let keepsLayers: Bool
    let steps: Int
    let own: AttentionShape
    let cross: AttentionShape?
    let positions: WorkBuffer  // (T, C), sinusoidal
    let x: WorkBuffer  // (L + 1, T, C)
    let normal: WorkBuffer  // (slots, T, C)
    let qkv: WorkBuffer  // (slots, 3, T, C)
    let z: WorkBuffer  // (slots, T, C)
    let middle: WorkBuffer  // (slots, T, C)
    let crossNormal: WorkBuffer  // (slots, T, C) with text
    let crossQKV: WorkBuffer  // (slots, T·C + 2·S·C)
    let crossZ: WorkBuffer  // (slots, T, C)
    let crossed: WorkBuffer  // (slots, T, C)
    let lastNormal: WorkBuffer  // (slots, T, C), before the feed-forward
    let u: WorkBuffer  // (slots, T, F)
    let h: WorkBuffer  // (slots, T, F)
    let output: WorkBuffer  // (T, C), after the last norm
    let logits: WorkBuffer  // (frames, V) of one codebook
    let chosen: WorkBuffer  // (frames, C), the rows of `output` that a head reads
    let dx: WorkBuffer  // (T, C)
    let dn: WorkBuffer  // (T, C)
    let dz: WorkBuffer  // (T, C)
    let dqkv: WorkBuffer
    let du: WorkBuffer  // (T, F)
    let dh: WorkBuffer  // (T, F)
    let scratch: WorkBuffer
    let states: WorkBuffer  // (S, C)

    init(_ config: LanguageModelConfig, frames: Int, delay: Int, text: Int, keepsLayers: Bool) {
      let (t, c, f) = (frames + delay, config.hidden, config.feedForward)
      let slots = keepsLayers ? config.layers : 1
      let own = AttentionShape(
        queries: t, keys: t, heads: config.heads, keyHeads: config.heads,
        dimension: config.headDimension, isCausal: true)
      let cross =
        text == 0
        ? nil
        : AttentionShape(
          queries: t, keys: text, heads: config.heads, keyHeads: config.heads,
          dimension: config.headDimension, isCausal: false)
      let withText = text == 0 ? 0 : slots * t * c
      self.frames = frames
      self.text = text
      self.keepsLayers = keepsLayers
      steps = t
      self.own = own
      self.cross = cross
      positions = sinusoidalPositions(t, width: c)
      x = WorkBuffer(count: (config.layers + 1) * t * c)
      normal = WorkBuffer(count: slots * t * c)
      qkv = WorkBuffer(count: slots * own.projections)
      z = WorkBuffer(count: slots * t * c)
      middle = WorkBuffer(count: slots * t * c)
      crossNormal = WorkBuffer(count: withText)
      crossQKV = WorkBuffer(count: slots * (cross?.projections ?? 0))
      crossZ = WorkBuffer(count: withText)
      crossed = WorkBuffer(count: withText)
      lastNormal = WorkBuffer(count: slots * t * c)
      u = WorkBuffer(count: slots * t * f)
      h = WorkBuffer(count: slots * t * f)
      output = WorkBuffer(count: t * c)
      logits = WorkBuffer(count: frames * config.cardinality)
      chosen = WorkBuffer(count: frames * c)
      dx = WorkBuffer(count: t * c)
      dn = WorkBuffer(count: t * c)
      dz = WorkBuffer(count: t * c)
      dqkv = WorkBuffer(count: max(own.projections, cross?.projections ?? 0))
      du = WorkBuffer(count: t * f)
      dh = WorkBuffer(count: t * f)
      scratch = WorkBuffer(count: max(own.scratch, cross?.scratch ?? 0))
      states = WorkBuffer(count: text * c)
    }
  }

  /// Bytes of a workspace.
  package func bytes(frames: Int, text: Int, keepsLayers: Bool) -> Int {
    let t = frames + (delays.max() ?? 0)
    let (c, f) = (config.hidden, config.feedForward)
    let slots = keepsLayers ? config.layers : 1
    let perSlot = t * c * (text > 0 ? 10 : 6) + 2 * text * c + 2 * t * f
    return 4
      * (slots * perSlot + (config.layers + 5) * t * c + 2 * t * f + 256 * max(t, text)
        + 4 * t * c + frames * (c + config.cardinality))
  }

  package func makeWorkspace(frames: Int, text: Int = 0, keepsLayers: Bool = true) -> Workspace {
    precondition(text == 0 || layers.allSatisfy { $0.cross != nil }, "made without text")
    return Workspace(
      config, frames: frames, delay: delays.max() ?? 0, text: text, keepsLayers: keepsLayers)
  }

  /// The loss of a window, in nats per code.
  package func loss(of window: Window, _ parameters: Parameters, _ w: Workspace) -> Double {
    forward(window, parameters, w)
    return readHeads(window, parameters, w)
  }

  // MARK: Forward

  func forward(_ window: Window, _ parameters: Parameters, _ w: Workspace) {
    precondition(window.frames == w.frames && window.codes.count == config.codebooks * w.frames)
    precondition(window.text.count == w.text * config.hidden, "text of another length")
    do {
      var text = w.states.mutableSpan
      for i in 0..<text.count { text[i] = window.text[i] }
    }
    embed(window, parameters, w)
    for l in layers.indices { forward(layer: l, parameters, w) }
    let (t, c) = (w.steps, config.hidden)
    var output = w.output.mutableSpan
    layerNorm(
      w.x.span(layers.count * t * c..<(layers.count + 1) * t * c),
      weight: parameters.span(lastNorm.weight), bias: parameters.span(lastNorm.bias),
      epsilon: 1e-5, into: &output)
  }

  /// The id that codebook k feeds in at `step`: a code, or the special token.
  func input(_ window: Window, codebook k: Int, step: Int) -> Int {
    let frame = step - 1 - delays[k]
    return frame >= 0 && frame < window.frames
      ? Int(window.codes[k * window.frames + frame]) : config.cardinality
  }

  private func embed(_ window: Window, _ parameters: Parameters, _ w: Workspace) {
    let c = config.hidden
    let scale = config.scaleEmbedding ? Float(c).squareRoot() : 1
    var x = w.x.mutableSpan(0..<w.steps * c)
    copy(w.positions.span, into: &x)
    for step in 0..<w.steps {
      for k in 0..<config.codebooks {
        let row = input(window, codebook: k, step: step) * c
        let entry = parameters.span(embeddings[k]).extracting(row..<row + c)
        for i in 0..<c { unsafe x[unchecked: step * c + i] += scale * entry[unchecked: i] }
      }
    }
  }

  func forward(layer l: Int, _ parameters: Parameters, _ w: Workspace) {
    let layer = layers[l]
    let (t, c, f) = (w.steps, config.hidden, config.feedForward)
    let slot = w.keepsLayers ? l : 0
    let rows = slot * t * c..<(slot + 1) * t * c
    let wide = slot * t * f..<(slot + 1) * t * f
    let x = w.x.span(l * t * c..<(l + 1) * t * c)
    do {
      var normal = w.normal.mutableSpan(rows)
      norm(layer.own.norm, x, parameters, into: &normal)
    }
    let base = slot * w.own.projections
    for (i, weight) in [layer.own.q, layer.own.k, layer.own.v].enumerated() {
      var part = w.qkv.mutableSpan(base + i * t * c..<base + (i + 1) * t * c)
      linear(
        w.normal.span(rows), weight: parameters.span(weight), rows: t, inputs: c, outputs: c,
        into: &part)
    }
    do {
      var scratch = w.scratch.mutableSpan
      var z = w.z.mutableSpan(rows)
      attention(
        w.own, qkv: w.qkv.span(base..<base + w.own.projections), rows: .separate(w.own),
        scratch: &scratch, into: &z)
    }
    do {
      var middle = w.middle.mutableSpan(rows)
      copy(x, into: &middle)
      linear(
        w.z.span(rows), weight: parameters.span(layer.own.out), rows: t, inputs: c, outputs: c,
        adding: true, into: &middle)
    }
    if let cross = layer.cross, let shape = w.cross {
      forward(cross: cross, shape, slot: slot, parameters, w)
    }
    do {
      var normal = w.lastNormal.mutableSpan(rows)
      norm(
        layer.norm, w.cross == nil ? w.middle.span(rows) : w.crossed.span(rows), parameters,
        into: &normal)
    }
    do {
      var u = w.u.mutableSpan(wide)
      linear(
        w.lastNormal.span(rows), weight: parameters.span(layer.fc1), rows: t, inputs: c,
        outputs: f, into: &u)
    }
    do {
      var h = w.h.mutableSpan(wide)
      gelu(w.u.span(wide), into: &h)
    }
    var next = w.x.mutableSpan((l + 1) * t * c..<(l + 2) * t * c)
    copy(w.cross == nil ? w.middle.span(rows) : w.crossed.span(rows), into: &next)
    linear(
      w.h.span(wide), weight: parameters.span(layer.fc2), rows: t, inputs: f, outputs: c,
      adding: true, into: &next)
  }

  private func forward(
    cross: Attention, _ shape: AttentionShape, slot: Int, _ parameters: Parameters,
    _ w: Workspace
  ) {
    let (t, c, s) = (w.steps, config.hidden, w.text)
    let rows = slot * t * c..<(slot + 1) * t * c
    let base = slot * shape.projections
    do {
      var normal = w.crossNormal.mutableSpan(rows)
      norm(cross.norm, w.middle.span(rows), parameters, into: &normal)
    }
    do {
      var q = w.crossQKV.mutableSpan(base..<base + t * c)
      linear(
        w.crossNormal.span(rows), weight: parameters.span(cross.q), rows: t, inputs: c,
        outputs: c, into: &q)
    }
    for (i, weight) in [cross.k, cross.v].enumerated() {
      let start = base + t * c + i * s * c
      var part = w.crossQKV.mutableSpan(start..<start + s * c)
      linear(
        w.states.span, weight: parameters.span(weight), rows: s, inputs: c, outputs: c,
        into: &part)
    }
    do {
      var scratch = w.scratch.mutableSpan
      var z = w.crossZ.mutableSpan(rows)
      attention(
        shape, qkv: w.crossQKV.span(base..<base + shape.projections), rows: .separate(shape),
        scratch: &scratch, into: &z)
    }
    var crossed = w.crossed.mutableSpan(rows)
    copy(w.middle.span(rows), into: &crossed)
    linear(
      w.crossZ.span(rows), weight: parameters.span(cross.out), rows: t, inputs: c, outputs: c,
      adding: true, into: &crossed)
  }

  // MARK: Heads and loss

  /// How often the mask lets a frame count, all codebooks together.
  func counted(_ window: Window) -> Int {
    config.codebooks * (window.mask?.count { $0 } ?? window.frames)
  }

  /// One codebook's logits (kept frames, V) and targets.
  func readHead(
    _ k: Int, _ window: Window, _ parameters: Parameters, _ w: Workspace
  ) -> [Int32] {
    let (c, v) = (config.hidden, config.cardinality)
    var targets: [Int32] = []
    do {
      var chosen = w.chosen.mutableSpan
      for frame in 0..<window.frames where window.mask?[frame] ?? true {
        let from = (frame + delays[k]) * c
        let to = targets.count * c
        let row = w.output.span(from..<from + c)
        for i in 0..<c { unsafe chosen[unchecked: to + i] = row[unchecked: i] }
        targets.append(window.codes[k * window.frames + frame])
      }
    }
    var logits = w.logits.mutableSpan
    linear(
      w.chosen.span, weight: parameters.span(heads[k]), rows: targets.count, inputs: c,
      outputs: v, into: &logits)
    return targets
  }

  private func readHeads(_ window: Window, _ parameters: Parameters, _ w: Workspace)
    -> Double
  {
    var total = 0.0
    for k in 0..<config.codebooks {
      let targets = readHead(k, window, parameters, w)
      var logits = w.logits.mutableSpan(0..<targets.count * config.cardinality)
      total += crossEntropy(&logits, targets: targets, classes: config.cardinality)
    }
    return total / Double(counted(window))
  }

  // MARK: Parts

  private func norm(
    _ norm: Norm, _ x: Span<Float>, _ parameters: Parameters, into y: inout MutableSpan<Float>
  ) {
    layerNorm(
      x, weight: parameters.span(norm.weight), bias: parameters.span(norm.bias), epsilon: 1e-5,
      into: &y)
  }

  /// The mean over time of every layer's output (L, C), after a forward pass in `w`.
  package func meanStates(_ w: Workspace) -> [Float] {
    let size = w.steps * config.hidden
    return layers.indices.flatMap { l in
      columnMeans(w.x.span((l + 1) * size..<(l + 2) * size), width: config.hidden)
    }
  }
}

/// [cos | sin] of position · 10000^(−i/(width/2 − 1)), (positions, width).
private func sinusoidalPositions(_ positions: Int, width: Int) -> WorkBuffer {
  let table = WorkBuffer(count: positions * width)
  var target = table.mutableSpan
  let half = width / 2
  for i in 0..<half {
    // The reference computes the angles in single precision; so does this.
    let frequency = Float.exp(Float(i) * -Float(Double.log(10000) / Double(half - 1)))
    for position in 0..<positions {
      let angle = Float(position) * frequency
      target[position * width + i] = Float.cos(angle)
      target[position * width + half + i] = Float.sin(angle)
    }
  }
  return table
}

/// The mean of each column of rows of `width`.
func columnMeans(_ rows: Span<Float>, width: Int) -> [Float] {
  var means = [Float](repeating: 0, count: width)
  for i in 0..<rows.count { means[i % width] += rows[i] }
  let share = Float(width) / Float(rows.count)
  return means.map { $0 * share }
}
