// What finished cells of the steering tables are kept in: a folder with the figures (JSON) and the judge's embeddings
// (safetensors) of each part of a cell, so that an interrupted evaluation goes on and a longer one begins where a shorter ended.

import Foundation
import Models
import Reporting

struct CellStore {
  /// The folder of the evaluation; cells lie in its folder “cells”.
  var folder: URL
  /// E, values per embedding.
  var embedding: Int

  /// What is kept of a plan under its key and `part`; nil where there is nothing whole, or it was made by another plan.
  func read(_ plan: CellPlan, part: String) -> CellFigures? {
    let place = place(plan, part)
    guard let data = try? Data(contentsOf: place.appendingPathExtension("json")),
      var known = try? Self.decoder.decode(CellFigures.self, from: data),
      known.plan.key == plan.key,
      let store = try? TensorStore(file: place.appendingPathExtension("safetensors")),
      let embeddings = try? store.tensor("embeddings").floats()
    else { return nil }
    known.plan = plan
    known.embeddings = embeddings
    return known
  }

  /// Keeps a part; the figures are written last, so that a part with figures is whole.
  func write(_ figures: CellFigures, part: String) throws {
    let place = place(figures.plan, part)
    try? FileManager.default.createDirectory(
      at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
    try SafetensorsWriter.write(
      [
        SafetensorsWriter.Entry(
          name: "embeddings", shape: [figures.embeddings.count / embedding, embedding],
          floats: figures.embeddings)
      ], to: place.appendingPathExtension("safetensors"))
    let encoder = JSONEncoder()
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    try AtomicFile.write(try encoder.encode(figures), to: place.appendingPathExtension("json"))
  }

  private func place(_ plan: CellPlan, _ part: String) -> URL {
    folder.appendingPathComponent("cells/\(plan.key)-\(part)")
  }

  private static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return decoder
  }
}
