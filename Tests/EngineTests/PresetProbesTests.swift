import Engine
import Foundation
import Models
import Testing

@Suite("Probes of a bundle")
struct PresetProbesTests {
  private func refusal(_ change: (inout ProbeSet) -> Void) -> String {
    var probes = PresetSamples.probes()
    change(&probes)
    do {
      _ = try PresetBundle(
        manifest: PresetSamples.manifest(), probes: ["drums": probes], extras: [:], place: "evil")
      return ""
    } catch { return "\(error)" }
  }

  private func refusal(bytes: Data) -> String {
    do {
      _ = try PresetProbes.read(bytes, manifest: PresetSamples.manifest(), bundle: "evil")
      return ""
    } catch { return "\(error)" }
  }

  @Test("probes come back bit for bit, with and without the spread of the mean difference")
  func roundTrip() throws {
    var probes = PresetSamples.probes()
    for sigma in [[], probes.sigma] {
      probes.meanDifferenceSigma = sigma
      let data = PresetProbes.encode(["drums": probes], manifest: PresetSamples.manifest())
      let read = try PresetProbes.read(data, manifest: PresetSamples.manifest(), bundle: "b")
      #expect(read == ["drums": probes])
    }
  }

  @Test("values that are not finite, not in range or without measure are refused")
  func values() {
    #expect(refusal { _ in }.isEmpty)
    #expect(refusal { $0.theta[3] = .nan }.contains("drums.theta"))
    #expect(refusal { $0.bias[0] = .infinity }.contains("drums.bias"))
    #expect(refusal { $0.meanDifference[0] = -.infinity }.contains("drums.mean_difference"))
    #expect(refusal { $0.theta[0] = 1e20 }.contains("beyond"))
    #expect(refusal { $0.sigma[2] = 0 }.contains("not above zero"))
    #expect(refusal { $0.sigma[2] = -1 }.contains("not above zero"))
    #expect(refusal { $0.sigma[2] = 1e6 }.contains("would add more"))
    #expect(refusal { $0.meanDifferenceSigma = $0.sigma.map { _ in 0 } }.contains("not above zero"))
    #expect(refusal { $0.accuracyTest[1] = 1.5 }.contains("between 0 and 1"))
  }

  @Test("a header of a gigabyte, holes, other shapes, types and tensors are refused")
  func structure() throws {
    let manifest = PresetSamples.manifest()
    let good = PresetProbes.encode(["drums": PresetSamples.probes()], manifest: manifest)
    #expect(refusal(bytes: good).isEmpty)
    var huge = good
    huge.replaceSubrange(0..<8, with: [0, 0, 0, 0x40, 0, 0, 0, 0])
    #expect(refusal(bytes: huge).contains("1073741824"))
    huge.replaceSubrange(0..<8, with: [UInt8](repeating: 0xFF, count: 8))
    #expect(refusal(bytes: huge).contains("claims"))
    #expect(!refusal(bytes: good + Data([0])).isEmpty)
    #expect(!refusal(bytes: good.dropLast(1)).isEmpty)
    #expect(!refusal(bytes: Data()).isEmpty && !refusal(bytes: Data(count: 8)).isEmpty)

    func changed(_ old: String, _ new: String) -> Data {
      precondition(old.utf8.count == new.utf8.count)
      var copy = good
      if let range = copy.range(of: Data(old.utf8)) {
        copy.replaceSubrange(range, with: Data(new.utf8))
      }
      return copy
    }
    #expect(refusal(bytes: changed("drums.theta", "drums.thetb")).contains("drums.theta"))
    #expect(!refusal(bytes: changed("F32", "I32")).isEmpty)
    #expect(!refusal(bytes: changed("F32", "F64")).isEmpty)
    #expect(!refusal(bytes: changed("[2,3,4]", "[2,4,3]")).isEmpty)
    #expect(!refusal(bytes: changed("[0,24]", "[0,20]")).isEmpty)
    var other = PresetSamples.manifest()
    other.traits[0].tensors = "bass"
    #expect(throws: PresetError.self) {
      try PresetProbes.read(good, manifest: other, bundle: "evil")
    }
    other = PresetSamples.manifest()
    other.traits.append(PresetTrait(id: "bass", label: "", ends: [], tensors: "bass"))
    let two = PresetProbes.encode(
      ["drums": PresetSamples.probes(), "bass": PresetSamples.probes()], manifest: other)
    #expect(refusal(bytes: two).contains("belongs to no trait"))
  }
}
