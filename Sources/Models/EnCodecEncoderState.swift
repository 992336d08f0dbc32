// Sound to codes while the sound is still coming in.
//
// In: frames of audio, −1 … 1. Out: latents or codes, each step as soon as no later sound can change it:
// `EnCodec.encoderLookahead` frames after the end of its own. All that comes out until `finish` equals
// `EnCodec.latents` and `.encode` of the whole clip.

package import Kernels

/// A running encoder.
///
/// Threading: used by one thread at a time. Allocates in `init` and `makeSnapshot` only.
package final class EnCodecEncoderState {
  package let codec: EnCodec
  /// Codes per step (K).
  package let codebooks: Int
  private let stream: EnCodecStream
  private let samples: WorkBuffer  // (block, audioChannels)
  private let latents: WorkBuffer  // (steps of one block and of the end, hiddenSize)
  private let workspace: WorkBuffer
  private var position = EnCodecPosition()

  /// - Parameters:
  ///   - codebooks: K; nil for the codec's own.
  ///   - blockSteps: how many steps' frames are computed at a time.
  package init(codec: EnCodec, codebooks: Int? = nil, blockSteps: Int = 10) {
    self.codec = codec
    self.codebooks = codebooks ?? codec.codebooks
    precondition(
      self.codebooks >= 1 && self.codebooks <= codec.quantiser.codebooks && blockSteps >= 1)
    stream = EnCodecStream(network: codec.encoder, blockRows: blockSteps * codec.hop)
    samples = WorkBuffer(count: stream.blockRows * codec.config.audioChannels)
    let waiting = codec.encoderLookahead / codec.hop + 2
    latents = WorkBuffer(count: (blockSteps + waiting) * codec.config.hiddenSize)
    workspace = WorkBuffer(count: codec.quantiser.workspaceCount)
  }

  /// Frames pushed since the beginning.
  package var framesTaken: Int { position.taken }
  /// Steps given since the beginning. The next step that comes out is this one.
  package var stepsGiven: Int { position.given }

  /// Steps that may come out when `frames` more frames are pushed, or at the end for 0.
  package func room(frames: Int) -> Int {
    (position.taken + frames + codec.hop - 1) / codec.hop - position.given
  }

  /// Takes audio and gives the latents that became final.
  ///
  /// - Parameters:
  ///   - audio: (frames, audioChannels); what is not a finite number counts as 0.
  ///   - latents: receives (room(frames:), hiddenSize); fewer rows are written.
  /// - Returns: how many rows were written.
  package func push(
    _ audio: Span<Float>, frames: Int, intoLatents latents: inout MutableSpan<Float>,
    pool: ComputePool
  ) -> Int {
    var (done, written) = (0, 0)
    while done < frames {
      let part = take(audio, from: done, of: frames)
      written += stream.push(
        samples.span(0..<part * codec.config.audioChannels), count: part, into: &latents,
        at: written, pool: pool)
      done += part
    }
    position.taken += frames
    position.given += written
    return written
  }

  /// Ends the stream and gives the latents that waited for it. Only `reset` and `restore` make sense
  /// afterwards.
  package func finish(intoLatents latents: inout MutableSpan<Float>, pool: ComputePool) -> Int {
    let written = stream.finish(into: &latents, pool: pool)
    position.given += written
    return written
  }

  /// Takes audio and gives the codes that became final.
  ///
  /// - Parameters:
  ///   - audio: (frames, audioChannels); what is not a finite number counts as 0.
  ///   - codes: receives (room(frames:), K); fewer rows are written.
  /// - Returns: how many steps were written.
  package func push(
    _ audio: Span<Float>, frames: Int, into codes: inout MutableSpan<Int32>, pool: ComputePool
  ) -> Int {
    var (done, written) = (0, 0)
    while done < frames {
      let part = take(audio, from: done, of: frames)
      var target = latents.mutableSpan
      let steps = stream.push(
        samples.span(0..<part * codec.config.audioChannels), count: part, into: &target,
        pool: pool)
      quantise(steps: steps, into: &codes, at: written, pool: pool)
      written += steps
      done += part
    }
    position.taken += frames
    position.given += written
    return written
  }

  /// Ends the stream and gives the codes that waited for it. Only `reset` and `restore` make sense
  /// afterwards.
  package func finish(into codes: inout MutableSpan<Int32>, pool: ComputePool) -> Int {
    var target = latents.mutableSpan
    let steps = stream.finish(into: &target, pool: pool)
    quantise(steps: steps, into: &codes, at: 0, pool: pool)
    position.given += steps
    return steps
  }

  /// Copies one block's samples, so far as there are any, and says how many frames.
  private func take(_ audio: Span<Float>, from first: Int, of frames: Int) -> Int {
    let channels = codec.config.audioChannels
    let part = min(stream.blockRows, frames - first)
    var target = samples.mutableSpan(0..<part * channels)
    for i in 0..<part * channels {
      let sample = audio[first * channels + i]
      target[i] = sample.isFinite ? sample : 0
    }
    return part
  }

  private func quantise(
    steps: Int, into codes: inout MutableSpan<Int32>, at row: Int, pool: ComputePool
  ) {
    guard steps > 0 else { return }
    var scratch = workspace.mutableSpan
    codec.quantiser.encode(
      latents.span(0..<steps * codec.config.hiddenSize), count: steps, books: codebooks,
      into: &codes, at: row, workspace: &scratch, pool: pool)
  }

  /// Returns to the beginning.
  package func reset() {
    stream.reset()
    position = EnCodecPosition()
  }

  /// Room for a snapshot of this stream.
  package func makeSnapshot() -> EnCodecSnapshot { stream.makeSnapshot() }

  /// Remembers this moment.
  package func save(to snapshot: EnCodecSnapshot) { stream.save(position, to: snapshot) }

  /// Returns to the moment of `save`, whatever came since.
  package func restore(from snapshot: EnCodecSnapshot) { position = stream.restore(from: snapshot) }
}
