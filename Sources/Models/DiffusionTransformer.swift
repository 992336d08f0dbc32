// The diffusion transformer of stable-audio-tools: forward pass. The backward is in
// DiffusionTransformerGradient.swift.
//
// In: a noisy latent (channels, T), its timestep in 0 … 1, conditioning tokens (S, conditioning
// width) and a global vector. Out: the network's prediction (channels, T).
// Source: stable-audio-tools `DiffusionTransformer`, `ContinuousTransformer` [published code]. Tensor
// names are the checkpoint's below `model.model.`.
//
// Letters: N rows (prefix + T), W width, F feed-forward, S conditioning tokens.

import Kernels
import RealModule

/// The network as a function of its parameters.
package struct DiffusionTransformer: Sendable {
  package let config: DiffusionTransformerConfig
  package let layout: ParameterLayout
  /// Angles per position of the rotary embedding, radians.
  package var inverseFrequencies: [Float]
  let names: Names

  /// The prefix of the layout's names in a checkpoint.
  package static let prefix = "model.model."

  /// Places of the tensors in the layout.
  struct Names: Sendable {
    struct Layer: Sendable {
      let prefix: String
      let norm: Int
      let qkv: Int
      let out: Int
      let crossNorm: Int?
      let crossQ: Int
      let crossKV: Int
      let crossOut: Int
      let lastNorm: Int
      let up: Int
      let upBias: Int
      let down: Int
      let downBias: Int
      let modulation: Int?
    }
    let before: Int
    let after: Int
    let features: Int
    let time: (Int, Int, Int, Int)
    let conditioning: (Int, Int)?
    let global: (Int, Int)?
    let modulation: (Int, Int, Int, Int)?
    let memory: Int?
    let projectIn: Int
    let projectOut: Int
    let layers: [Layer]
  }

  package init(config: DiffusionTransformerConfig) {
    self.config = config
    let layout = ParameterLayout(Self.tensors(of: config))
    self.layout = layout
    names = Self.names(of: config, in: layout)
    let turned = max(config.headDimension / 2, 32)
    inverseFrequencies = stride(from: 0, to: turned, by: 2).map {
      1 / Float.pow(10000, Float($0) / Float(turned))
    }
  }

  /// Reads a checkpoint of stable-audio-tools: `prefix` + the layout's names.
  /// - Throws: `SafetensorsError`.
  package static func load(config: DiffusionTransformerConfig, from store: TensorStore) throws
    -> (DiffusionTransformer, Parameters)
  {
    var network = DiffusionTransformer(config: config)
    let frequencies = prefix + "transformer.rotary_pos_emb.inv_freq"
    if store.tensors[frequencies] != nil {
      network.inverseFrequencies = try store.tensor(
        frequencies, shape: [network.inverseFrequencies.count]
      ).floats()
    }
    return (network, try Parameters(layout: network.layout, from: store, prefix: prefix))
  }

  private static func tensors(of config: DiffusionTransformerConfig) -> [(String, [Int])] {
    let (w, io) = (config.width, config.channels)
    var all: [(String, [Int])] = [
      ("preprocess_conv.weight", [io, io, 1]), ("postprocess_conv.weight", [io, io, 1]),
      ("timestep_features.weight", [128, 1]),
      ("to_timestep_embed.0.weight", [w, 256]), ("to_timestep_embed.0.bias", [w]),
      ("to_timestep_embed.2.weight", [w, w]), ("to_timestep_embed.2.bias", [w]),
    ]
    let context = config.contextWidth
    if config.conditioningWidth > 0 {
      all.append(("to_cond_embed.0.weight", [context, config.conditioningWidth]))
      all.append(("to_cond_embed.2.weight", [context, context]))
    }
    if config.globalWidth > 0 {
      all.append(("to_global_embed.0.weight", [w, config.globalWidth]))
      all.append(("to_global_embed.2.weight", [w, w]))
    }
    let t = "transformer."
    all.append((t + "project_in.weight", [w, io]))
    all.append((t + "project_out.weight", [io, w]))
    if config.memoryTokens > 0 { all.append((t + "memory_tokens", [config.memoryTokens, w])) }
    if config.globalConditioning == .adaLN {
      all.append((t + "global_cond_embedder.0.weight", [w, w]))
      all.append((t + "global_cond_embedder.0.bias", [w]))
      all.append((t + "global_cond_embedder.2.weight", [6 * w, w]))
      all.append((t + "global_cond_embedder.2.bias", [6 * w]))
    }
    for l in 0..<config.depth {
      let p = t + "layers.\(l)."
      all.append((p + "pre_norm.gamma", [w]))
      all.append((p + "self_attn.to_qkv.weight", [3 * w, w]))
      all.append((p + "self_attn.to_out.weight", [w, w]))
      if config.conditioningWidth > 0 {
        all.append((p + "cross_attend_norm.gamma", [w]))
        all.append((p + "cross_attn.to_q.weight", [w, w]))
        all.append((p + "cross_attn.to_kv.weight", [2 * context, context]))
        all.append((p + "cross_attn.to_out.weight", [w, w]))
      }
      all.append((p + "ff_norm.gamma", [w]))
      all.append((p + "ff.ff.0.proj.weight", [2 * config.feedForward, w]))
      all.append((p + "ff.ff.0.proj.bias", [2 * config.feedForward]))
      all.append((p + "ff.ff.2.weight", [w, config.feedForward]))
      all.append((p + "ff.ff.2.bias", [w]))
      if config.globalConditioning == .adaLN { all.append((p + "to_scale_shift_gate", [6 * w])) }
    }
    return all
  }

  private static func names(of config: DiffusionTransformerConfig, in layout: ParameterLayout)
    -> Names
  {
    let t = "transformer."
    let layers = (0..<config.depth).map { l in
      let p = t + "layers.\(l)."
      let crosses = config.conditioningWidth > 0
      return Names.Layer(
        prefix: p, norm: layout[p + "pre_norm.gamma"], qkv: layout[p + "self_attn.to_qkv.weight"],
        out: layout[p + "self_attn.to_out.weight"],
        crossNorm: crosses ? layout[p + "cross_attend_norm.gamma"] : nil,
        crossQ: crosses ? layout[p + "cross_attn.to_q.weight"] : 0,
        crossKV: crosses ? layout[p + "cross_attn.to_kv.weight"] : 0,
        crossOut: crosses ? layout[p + "cross_attn.to_out.weight"] : 0,
        lastNorm: layout[p + "ff_norm.gamma"], up: layout[p + "ff.ff.0.proj.weight"],
        upBias: layout[p + "ff.ff.0.proj.bias"], down: layout[p + "ff.ff.2.weight"],
        downBias: layout[p + "ff.ff.2.bias"],
        modulation: layout.place(of: p + "to_scale_shift_gate"))
    }
    let modulates = config.globalConditioning == .adaLN
    let embedder = t + "global_cond_embedder."
    return Names(
      before: layout["preprocess_conv.weight"], after: layout["postprocess_conv.weight"],
      features: layout["timestep_features.weight"],
      time: (
        layout["to_timestep_embed.0.weight"], layout["to_timestep_embed.0.bias"],
        layout["to_timestep_embed.2.weight"], layout["to_timestep_embed.2.bias"]
      ),
      conditioning: config.conditioningWidth > 0
        ? (layout["to_cond_embed.0.weight"], layout["to_cond_embed.2.weight"]) : nil,
      global: config.globalWidth > 0
        ? (layout["to_global_embed.0.weight"], layout["to_global_embed.2.weight"]) : nil,
      modulation: modulates
        ? (
          layout[embedder + "0.weight"], layout[embedder + "0.bias"],
          layout[embedder + "2.weight"], layout[embedder + "2.bias"]
        ) : nil,
      memory: layout.place(of: t + "memory_tokens"), projectIn: layout[t + "project_in.weight"],
      projectOut: layout[t + "project_out.weight"], layers: layers)
  }

  // MARK: Forward

  /// The network's output.
  ///
  /// - Parameters:
  ///   - x: the noisy latent (channels, T).
  ///   - time: the timestep, 0 (clean) … 1 (noise).
  ///   - context: conditioning tokens (S, conditioning width).
  ///   - global: the global vector, or empty for none.
  ///   - output: receives (channels, T).
  package func forward(
    _ x: Span<Float>, time: Float, context: Span<Float>, global: Span<Float>,
    _ parameters: Parameters, _ w: DiffusionWorkspace, into output: inout MutableSpan<Float>
  ) {
    let (io, frames) = (config.channels, w.frames)
    precondition(x.count == io * frames && output.count == x.count, "latents of another size")
    precondition(context.count == w.tokens * config.conditioningWidth, "tokens of another size")
    precondition(global.count == config.globalWidth, "a global vector of another size")
    w.time = time
    condition(time: time, context: context, global: global, parameters, w)
    do {
      var rows = w.latent.mutableSpan
      for channel in 0..<io {
        for t in 0..<frames { rows[t * io + channel] = x[channel * frames + t] }
      }
      var mixed = w.mixed.mutableSpan
      copy(w.latent.span, into: &mixed)
      linear(
        w.latent.span, weight: parameters.span(names.before), rows: frames, inputs: io,
        outputs: io, adding: true, into: &mixed)
    }
    let width = config.width
    do {
      var x0 = w.x.mutableSpan(0..<w.rows * width)
      if let memory = names.memory {
        let tokens = parameters.span(memory)
        for i in 0..<tokens.count { x0[i] = tokens[i] }
      }
      if config.globalConditioning == .prepend {
        for i in 0..<width { x0[config.memoryTokens * width + i] = w.global.span[i] }
      }
    }
    do {
      var rows = w.x.mutableSpan(config.prefix * width..<w.rows * width)
      linear(
        w.mixed.span, weight: parameters.span(names.projectIn), rows: frames, inputs: io,
        outputs: width, into: &rows)
    }
    for l in 0..<config.depth { forward(layer: l, parameters, w) }
    let last = config.depth * w.rows * width
    do {
      var predicted = w.predicted.mutableSpan
      linear(
        w.x.span(last + config.prefix * width..<last + w.rows * width),
        weight: parameters.span(names.projectOut), rows: frames, inputs: width, outputs: io,
        into: &predicted)
      var mixed = w.dLatent.mutableSpan
      copy(w.predicted.span, into: &mixed)
      linear(
        w.predicted.span, weight: parameters.span(names.after), rows: frames, inputs: io,
        outputs: io, adding: true, into: &mixed)
      for channel in 0..<io {
        for t in 0..<frames { output[channel * frames + t] = mixed[t * io + channel] }
      }
    }
  }

  /// Conditioning tokens, global vector and, for adaLN, the layers' common modulation.
  private func condition(
    time: Float, context: Span<Float>, global: Span<Float>, _ parameters: Parameters,
    _ w: DiffusionWorkspace
  ) {
    let width = config.width
    if let (first, second) = names.conditioning {
      w.contextInput.copy(from: context)
      perceptron(
        w.contextInput.span, first, nil, second, nil, rows: w.tokens,
        inputs: config.conditioningWidth, hidden: config.contextWidth,
        outputs: config.contextWidth, parameters, inner: w.contextInner, outer: w.context)
    }
    do {
      var features = w.features.mutableSpan
      let frequencies = parameters.span(names.features)
      for i in 0..<128 {
        let angle = 2 * Float.pi * time * frequencies[i]
        features[i] = Float.cos(angle)
        features[128 + i] = Float.sin(angle)
      }
    }
    perceptron(
      w.features.span, names.time.0, names.time.1, names.time.2, names.time.3, rows: 1,
      inputs: 256, hidden: width, outputs: width, parameters, inner: w.timeInner, outer: w.global)
    if let (first, second) = names.global {
      w.globalInput.copy(from: global)
      perceptron(
        w.globalInput.span, first, nil, second, nil, rows: 1, inputs: config.globalWidth,
        hidden: width, outputs: width, parameters, inner: w.globalInner, outer: w.globalOnly)
      var sum = w.global.mutableSpan
      for i in 0..<width { sum[i] += w.globalOnly.span[i] }
    }
    if let modulation = names.modulation {
      perceptron(
        w.global.span, modulation.0, modulation.1, modulation.2, modulation.3, rows: 1,
        inputs: width, hidden: width, outputs: 6 * width, parameters, inner: w.modulationInner,
        outer: w.modulation)
    }
  }

  /// Linear, SiLU, linear: `inner` keeps (2, rows, hidden), before and after the SiLU.
  private func perceptron(
    _ x: Span<Float>, _ first: Int, _ firstBias: Int?, _ second: Int, _ secondBias: Int?,
    rows: Int, inputs: Int, hidden: Int, outputs: Int, _ parameters: Parameters,
    inner: WorkBuffer, outer: WorkBuffer
  ) {
    do {
      var u = inner.mutableSpan(0..<rows * hidden)
      linear(
        x, weight: parameters.span(first), bias: bias(firstBias, parameters), rows: rows,
        inputs: inputs, outputs: hidden, into: &u)
    }
    do {
      var h = inner.mutableSpan(rows * hidden..<2 * rows * hidden)
      silu(inner.span(0..<rows * hidden), into: &h)
    }
    var y = outer.mutableSpan
    linear(
      inner.span(rows * hidden..<2 * rows * hidden), weight: parameters.span(second),
      bias: bias(secondBias, parameters), rows: rows, inputs: hidden, outputs: outputs, into: &y)
  }

  @_lifetime(immortal) private func bias(_ place: Int?, _ parameters: Parameters) -> Span<Float> {
    guard let place else { return Span() }
    return parameters.span(place)
  }

  /// One layer: reads x[l], writes x[l + 1] and the layer's slot of activations.
  func forward(layer l: Int, _ parameters: Parameters, _ w: DiffusionWorkspace) {
    let layer = names.layers[l]
    let (n, width, f) = (w.rows, config.width, config.feedForward)
    let slot = w.keepsLayers ? l : 0
    let rows = slot * n * width..<(slot + 1) * n * width
    let x = w.x.span(l * n * width..<(l + 1) * n * width)
    if let own = layer.modulation {
      var m = w.layerModulation.mutableSpan(slot * 6 * width..<(slot + 1) * 6 * width)
      let tensor = parameters.span(own)
      for i in 0..<6 * width { m[i] = tensor[i] + w.modulation.span[i] }
    }
    normalise(
      x, layer.norm, parameters, plain: w.plain, modulated: w.normal, rows, slot: slot, part: 0, w)
    let fused = slot * w.own.projections..<(slot + 1) * w.own.projections
    do {
      var qkv = w.qkv.mutableSpan(fused)
      linear(
        w.normal.span(rows), weight: parameters.span(layer.qkv), rows: n, inputs: width,
        outputs: 3 * width, into: &qkv)
      for part in 0..<2 {
        w.rotary.turn(
          &qkv, rows: Rows(offset: part * width, stride: 3 * width), count: n, heads: config.heads,
          dimension: config.headDimension)
      }
    }
    do {
      var scratch = w.scratch.mutableSpan
      var z = w.z.mutableSpan(rows)
      attention(
        w.own, qkv: w.qkv.span(fused), rows: .fused(w.own), scratch: &scratch, into: &z)
    }
    do {
      var branch = w.ownOut.mutableSpan(rows)
      linear(
        w.z.span(rows), weight: parameters.span(layer.out), rows: n, inputs: width,
        outputs: width, into: &branch)
      var middle = w.middle.mutableSpan(rows)
      addGated(branch: w.ownOut.span(rows), to: x, slot: slot, part: 2, w, into: &middle)
    }
    if let crossNorm = layer.crossNorm, let shape = w.cross {
      forward(cross: layer, crossNorm, shape, slot: slot, parameters, w)
    }
    let before = w.cross == nil ? w.middle : w.crossed
    normalise(
      before.span(rows), layer.lastNorm, parameters, plain: w.lastPlain, modulated: w.lastNormal,
      rows, slot: slot, part: 3, w)
    let wide = slot * n * f..<(slot + 1) * n * f
    do {
      var u = w.u.mutableSpan(2 * wide.lowerBound..<2 * wide.upperBound)
      linear(
        w.lastNormal.span(rows), weight: parameters.span(layer.up),
        bias: parameters.span(layer.upBias), rows: n, inputs: width, outputs: 2 * f, into: &u)
    }
    do {
      var h = w.h.mutableSpan(wide)
      gatedSilu(w.u.span(2 * wide.lowerBound..<2 * wide.upperBound), width: f, into: &h)
    }
    var branch = w.lastOut.mutableSpan(rows)
    linear(
      w.h.span(wide), weight: parameters.span(layer.down), bias: parameters.span(layer.downBias),
      rows: n, inputs: f, outputs: width, into: &branch)
    var next = w.x.mutableSpan((l + 1) * n * width..<(l + 2) * n * width)
    addGated(
      branch: w.lastOut.span(rows), to: before.span(rows), slot: slot, part: 5, w, into: &next)
  }

  private func forward(
    cross layer: Names.Layer, _ crossNorm: Int, _ shape: AttentionShape, slot: Int,
    _ parameters: Parameters, _ w: DiffusionWorkspace
  ) {
    let (n, width) = (w.rows, config.width)
    let rows = slot * n * width..<(slot + 1) * n * width
    let base = slot * shape.projections
    do {
      var normal = w.crossNormal.mutableSpan(rows)
      layerNorm(
        w.middle.span(rows), weight: parameters.span(crossNorm), bias: Span(), epsilon: 1e-5,
        into: &normal)
    }
    do {
      var q = w.crossQKV.mutableSpan(base..<base + n * width)
      linear(
        w.crossNormal.span(rows), weight: parameters.span(layer.crossQ), rows: n, inputs: width,
        outputs: width, into: &q)
    }
    do {
      var kv = w.crossQKV.mutableSpan(base + n * width..<base + shape.projections)
      linear(
        w.context.span, weight: parameters.span(layer.crossKV), rows: w.tokens,
        inputs: config.contextWidth, outputs: 2 * config.contextWidth, into: &kv)
    }
    do {
      var scratch = w.scratch.mutableSpan
      var z = w.crossZ.mutableSpan(rows)
      attention(
        shape, qkv: w.crossQKV.span(base..<base + shape.projections),
        rows: .queriesThenPairs(shape), scratch: &scratch, into: &z)
    }
    var crossed = w.crossed.mutableSpan(rows)
    copy(w.middle.span(rows), into: &crossed)
    linear(
      w.crossZ.span(rows), weight: parameters.span(layer.crossOut), rows: n, inputs: width,
      outputs: width, adding: true, into: &crossed)
  }

  /// Layer norm, then for adaLN n (1 + scale) + shift, with `part` the place of scale among the six.
  private func normalise(
    _ x: Span<Float>, _ gamma: Int, _ parameters: Parameters, plain: WorkBuffer,
    modulated: WorkBuffer, _ rows: Range<Int>, slot: Int, part: Int, _ w: DiffusionWorkspace
  ) {
    let width = config.width
    let isModulated = config.globalConditioning == .adaLN
    do {
      var n = (isModulated ? plain : modulated).mutableSpan(rows)
      layerNorm(x, weight: parameters.span(gamma), bias: Span(), epsilon: 1e-5, into: &n)
    }
    guard isModulated else { return }
    let scale = w.modulationPart(part, slot: slot, width: width)
    let shift = w.modulationPart(part + 1, slot: slot, width: width)
    let n = plain.span(rows)
    var y = modulated.mutableSpan(rows)
    for row in 0..<w.rows {
      for i in 0..<width {
        let place = row * width + i
        unsafe y[unchecked: place] =
          n[unchecked: place] * (1 + scale[unchecked: i]) + shift[unchecked: i]
      }
    }
  }

  /// y = x + branch, for adaLN x + branch · σ(1 − gate).
  private func addGated(
    branch: Span<Float>, to x: Span<Float>, slot: Int, part: Int, _ w: DiffusionWorkspace,
    into y: inout MutableSpan<Float>
  ) {
    let width = config.width
    guard config.globalConditioning == .adaLN else {
      for i in 0..<y.count { unsafe y[unchecked: i] = x[unchecked: i] + branch[unchecked: i] }
      return
    }
    let gate = w.modulationPart(part, slot: slot, width: width)
    for i in 0..<width {
      let open = 1 / (1 + Float.exp(gate[i] - 1))
      for row in 0..<w.rows {
        let place = row * width + i
        y[place] = x[place] + branch[place] * open
      }
    }
  }
}

func copy(_ source: Span<Float>, into target: inout MutableSpan<Float>) {
  precondition(source.count == target.count, "spans of different sizes")
  for i in 0..<source.count { unsafe target[unchecked: i] = source[unchecked: i] }
}
