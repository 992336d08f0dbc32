import Kernels
import Testing

@Suite("OpenBLAS core")
struct OpenBLASCoreTests {
  private let wide: Set<String> = [
    "avx2", "avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl",
  ]

  @Test(
    "Haswell or Zen kernels on a processor with AVX-512 are replaced",
    arguments: ["Haswell", "Zen"])
  func replaced(name: String) {
    #expect(OpenBLASCore.better(than: name, flags: wide) == "SkylakeX")
  }

  @Test(
    "kernels that use AVX-512 already stay",
    arguments: ["SkylakeX", "Cooperlake", "SapphireRapids"])
  func kept(name: String) { #expect(OpenBLASCore.better(than: name, flags: wide) == nil) }

  @Test("AVX-512 kernels are never asked for where a part of AVX-512 is missing")
  func missing() {
    #expect(OpenBLASCore.better(than: "Haswell", flags: ["avx2", "avx512f", "avx512cd"]) == nil)
    #expect(OpenBLASCore.better(than: "Haswell", flags: []) == nil)
  }

  @Test("the library tells its kernels")
  func name() { #expect(!OpenBLASCore.name.isEmpty) }
}
