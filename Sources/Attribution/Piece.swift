// The piece that is attributed: a take, a file of codes, a sound file, or a track of the catalogue.

package import Audio
internal import Crypto
package import Foundation
package import Kernels
import Models
import Reporting

/// A piece, ready to be unlearned.
package struct Piece: Sendable {
  package let item: LossItem
  /// Fingerprint of the model that made it, when the take says so.
  package let maker: String?
  /// Whether it is a track of the catalogue that the model was trained on.
  package let isTrack: Bool

  /// Where the sound is silent: below −60 dB of full scale over a whole frame.
  package static let silence: Float = 1e-3

  /// Reads a piece.
  ///
  /// - Parameters:
  ///   - path: a take's folder, codes.safetensors, or a sound file.
  /// - Throws: `AttributionError`, `AudioFileError`, `SafetensorsError`.
  package init(path: URL, model: AskedModel, pool: ComputePool) throws {
    var isFolder: ObjCBool = false
    guard unsafe FileManager.default.fileExists(atPath: path.path, isDirectory: &isFolder) else {
      throw AttributionError.badPiece(file: path.path, reason: "there is no such file")
    }
    let codesFile = isFolder.boolValue ? path.appendingPathComponent("codes.safetensors") : path
    if codesFile.pathExtension == "safetensors" {
      try self.init(codes: codesFile, take: isFolder.boolValue ? path : nil, model: model)
    } else {
      try self.init(sound: path, model: model, pool: pool)
    }
  }

  /// A track of the catalogue.
  package init(track id: String, in catalogue: Catalogue) throws {
    item = try catalogue.item(id)
    maker = nil
    isTrack = true
  }

  private init(codes file: URL, take: URL?, model: AskedModel) throws {
    guard let music = model.listener else {
      throw AttributionError.badPiece(
        file: file.path,
        reason: "a diffusion model with a catalogue of latents needs a track's latents, not codes")
    }
    let stored = try CodesFile(
      contentsOf: file, codebooks: music.config.decoder.codebooks,
      cardinality: music.config.decoder.cardinality)
    guard stored.frames > 0 else {
      throw AttributionError.badPiece(file: file.path, reason: "it holds no codes")
    }
    var maker = stored.metadata["model_fingerprint"] ?? stored.metadata["fingerprint"]
    var mask: [Bool]?
    if let take {
      let said = Self.description(of: take)
      maker = Self.fingerprint(said) ?? maker
      // The prompt is the player's: the model hears it, and only what it added itself is unlearned.
      let prompt = said["promptFrames"] as? Int ?? 0
      if (1..<stored.frames).contains(prompt) {
        mask = (0..<stored.frames).map { $0 >= prompt }
      }
    }
    item = Self.item(codes: stored.codes, books: stored.codebooks, mask: mask)
    self.maker = maker
    isTrack = false
  }

  private init(sound: URL, model: AskedModel, pool: ComputePool) throws {
    guard let music = model.listener else {
      throw AttributionError.badPiece(
        file: sound.path,
        reason: "sound becomes latents by way of codes only, and the catalogue holds latents")
    }
    let clip = try AudioFile.read(sound, channels: music.channels == 1 ? .mono : .stereo)
      .resampled(to: music.config.sampleRate)
    guard clip.seconds >= 1 else {
      throw AttributionError.badPiece(
        file: sound.path, reason: "it has only \(clip.seconds) seconds of sound")
    }
    let codes = try music.encode(clip.channels, pool: pool)
    let books = music.config.decoder.codebooks
    item = Self.item(
      codes: codes, books: books,
      mask: Self.mask(of: clip, frames: codes.count / books, hop: music.hop))
    maker = nil
    isTrack = false
  }

  /// An item whose id is a hash of its codes (T, K), so that its draws depend on the music alone.
  private static func item(codes: [Int32], books: Int, mask: [Bool]?) -> LossItem {
    let frames = codes.count / books
    var turned = [Int32](repeating: 0, count: codes.count)  // (K, T)
    for t in 0..<frames {
      for k in 0..<books { turned[k * frames + t] = codes[t * books + k] }
    }
    let digest = SHA256.hash(data: unsafe turned.withUnsafeBytes { unsafe Data($0) })
    return LossItem(
      id: "piece-" + hexadecimal(digest).prefix(16), frames: frames, mask: mask,
      content: .codes(turned, books: books))
  }

  /// For each frame of codes whether anything sounds in it.
  package static func mask(of clip: AudioClip, frames: Int, hop: Int) -> [Bool] {
    (0..<frames).map { frame in
      let range = frame * hop..<min((frame + 1) * hop, clip.frames)
      return clip.channels.contains { samples in
        range.contains { abs(samples[$0]) > silence }
      }
    }
  }

  /// What take.json says; empty when it cannot be read.
  private static func description(of take: URL) -> [String: Any] {
    guard let data = try? Data(contentsOf: take.appendingPathComponent("take.json")) else {
      return [:]
    }
    return (try? JSONSerialization.jsonObject(with: data)) as? [String: Any] ?? [:]
  }

  /// What it says about the model.
  private static func fingerprint(_ json: [String: Any]) -> String? {
    if let model = json["model"] as? [String: Any] { return model["fingerprint"] as? String }
    return json["fingerprint"] as? String ?? json["model_fingerprint"] as? String
  }
}
