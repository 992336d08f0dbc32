// What can be wrong with an EnCodec model or with what it is given.

package import Reporting

/// Errors of the codec.
package enum EnCodecError: Explained {
  /// A setting of `config.json` that this program does not know how to compute.
  case unsupported(setting: String, value: String, reason: String)
  /// A setting of `config.json` that makes no sense.
  case badSetting(setting: String, value: String, reason: String)
  case missing(tensor: String)
  case wrongShape(tensor: String, found: [Int], expected: [Int])
  case notFinite(tensor: String)
  /// The file has another number of codebooks than the configuration calls for.
  case tooFewCodebooks(found: Int, expected: Int)
  case codeOutOfRange(code: Int, codebook: Int, step: Int, cardinality: Int)
  case wrongCount(what: String, found: Int, expected: String)
  case sampleNotFinite(index: Int)

  package var kind: FailureKind { .data }

  package var problem: String {
    switch self {
    case .unsupported(let setting, let value, let reason):
      "the codec's \(setting) is \(printable(value)), which is not supported: \(reason)"
    case .badSetting(let setting, let value, let reason):
      "the codec's \(setting) is \(printable(value)): \(reason)"
    case .missing(let tensor): "the codec's tensor \(printable(tensor)) is missing"
    case .wrongShape(let tensor, let found, let expected):
      "the codec's tensor \(printable(tensor)) has shape \(found), but its configuration asks for \(expected)"
    case .notFinite(let tensor):
      "the codec's tensor \(printable(tensor)) holds values that are not finite numbers"
    case .tooFewCodebooks(let found, let expected):
      "the codec has \(found) codebooks, but \(expected) are needed"
    case .codeOutOfRange(let code, let codebook, let step, let cardinality):
      "code \(code) of codebook \(codebook + 1) at step \(step) is outside 0 … \(cardinality - 1)"
    case .wrongCount(let what, let found, let expected):
      "there are \(found) \(what), but \(expected) are needed"
    case .sampleNotFinite(let index): "sample \(index) of the audio is not a finite number"
    }
  }

  package var remedy: String {
    switch self {
    case .unsupported: "use a model in MusicGen's format, whose codec is EnCodec at 32 kHz"
    case .badSetting, .missing, .wrongShape, .tooFewCodebooks:
      "check that config.json and the weights belong to the same model"
    case .notFinite: "copy the weights again from where they came"
    case .codeOutOfRange, .wrongCount: "give the codes of a codec of the same size"
    case .sampleNotFinite: "check the recording"
    }
  }
}
