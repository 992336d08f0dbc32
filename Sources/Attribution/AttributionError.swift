// What can go wrong when a piece is attributed.

package import Reporting

package enum AttributionError: Explained, Equatable {
  case noCatalogue(folder: String, reason: String)
  case badCatalogue(file: String, reason: String)
  case newerCatalogue(file: String, version: Int)
  case noTrack(id: String, catalogue: String)
  case mismatch(catalogue: String, model: String, reason: String)
  case badEmbeddings(file: String, reason: String)
  case badPiece(file: String, reason: String)
  case emptyMask(item: String)
  case lossNotFinite(item: String)
  case riseOutOfReach(wanted: Double, reached: Double)
  case badSetting(name: String, value: String, expected: String)
  case newerStore(file: String, version: Int)
  case store(file: String, reason: String)
  case shards(reason: String)
  case noJob(id: Int64)
  case cancelled

  package var kind: FailureKind {
    switch self {
    case .noCatalogue, .noTrack, .noJob: .noInput
    case .badCatalogue, .newerCatalogue, .mismatch, .badPiece, .badEmbeddings, .emptyMask,
      .newerStore, .shards:
      .data
    case .lossNotFinite, .riseOutOfReach: .data
    case .badSetting: .usage
    case .store: .inputOutput
    case .cancelled: .unavailable
    }
  }

  package var problem: String {
    switch self {
    case .noCatalogue(let folder, let reason): "\(folder) is not a catalogue: \(reason)"
    case .badCatalogue(let file, let reason): "\(file): \(printable(reason))"
    case .newerCatalogue(let file, let version):
      "\(file) is a catalogue of version \(version), this program knows 1"
    case .noTrack(let id, let catalogue): "\(catalogue) has no track “\(printable(id))”"
    case .mismatch(let catalogue, let model, let reason):
      "the catalogue \(catalogue) does not belong to the model \(model): \(reason)"
    case .badEmbeddings(let file, let reason): "\(file): \(printable(reason))"
    case .badPiece(let file, let reason): "\(file) cannot be attributed: \(printable(reason))"
    case .emptyMask(let item): "“\(printable(item))” is silent from start to end"
    case .lossNotFinite(let item): "the loss of “\(printable(item))” is not a number"
    case .riseOutOfReach(let wanted, let reached):
      "no step raises the piece's own loss by \(wanted) of itself; the largest reached is \(reached)"
    case .badSetting(let name, let value, let expected):
      "\(name) is \(printable(value)), but must be \(expected)"
    case .newerStore(let file, let version):
      "\(file) was written by a newer program (version \(version), this one knows \(JobStore.version))"
    case .store(let file, let reason): "the job store \(file) failed: \(printable(reason))"
    case .shards(let reason): "the shards do not fit together: \(reason)"
    case .noJob(let id): "there is no job \(id)"
    case .cancelled: "the job was cancelled"
    }
  }

  package var remedy: String {
    switch self {
    case .noCatalogue:
      "name a folder with catalogue.json and codes.safetensors or latents.safetensors"
    case .badCatalogue: "copy the catalogue again, or build it again with continuo catalogue build"
    case .newerCatalogue, .newerStore: "use a newer version of this program"
    case .noTrack: "see continuo catalogue info for the ids"
    case .mismatch: "build the catalogue with this model: continuo catalogue build DIR --model M"
    case .badEmbeddings:
      "give a safetensors file, or a folder of .npy files, with a vector per track id and one for “piece”"
    case .badPiece: "give a take, or a sound file of at least one second"
    case .emptyMask: "give a piece that sounds, or switch the mask off"
    case .lossNotFinite: "check the model's weights with continuo model check"
    case .riseOutOfReach: "ask for a smaller --rise, or give --learning-rate"
    case .badSetting: "correct it"
    case .store: "free some space, or name another file with --store"
    case .shards: "run the missing ones, all with the same settings"
    case .noJob: "see continuo attribute jobs"
    case .cancelled: "start it again; what was computed is kept"
    }
  }
}
