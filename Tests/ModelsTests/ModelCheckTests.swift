import Models
import TestSupport
import Testing

@Suite("Model check")
struct ModelCheckTests {
  private func sheet(_ entries: [SafetensorsWriter.Entry], in folder: TemporaryFolder) throws
    -> CheckSheet
  {
    let file = folder.file("golden.safetensors")
    try SafetensorsWriter.write(entries, to: file)
    return try CheckSheet(file: file)
  }

  @Test("every golden tensor has a verdict, also those that nobody computes")
  func nothingIsPassedOver() throws {
    let folder = try TemporaryFolder()
    let sheet = try sheet(
      ["a", "b", "c"].map { .init(name: $0, shape: [1], floats: [1]) }, in: folder)
    try sheet.compare("a", [Float(1)])
    sheet.skip("b", because: "of a reason")
    let results = sheet.finish()
    #expect(results.map(\.status) == [.ok, .notComputed, .notComputed])
    #expect(results[1].note == "of a reason")
    #expect(results[2].note.contains("does not know"))
  }

  @Test("the bound is on the largest difference over the largest golden value")
  func tolerance() throws {
    let folder = try TemporaryFolder()
    let sheet = try sheet([.init(name: "a", shape: [2], floats: [100, 1])], in: folder)
    for (value, status) in [(Float(1.009), CheckResult.Status.ok), (1.011, .failed)] {
      try sheet.compare("a", [100, value])
      #expect(sheet.finish()[0].status == status)
    }
  }

  @Test("not a number agrees only with not a number, and a wrong size never")
  func oddValues() throws {
    let folder = try TemporaryFolder()
    let sheet = try sheet([.init(name: "a", shape: [2], floats: [.nan, 1])], in: folder)
    for (values, status) in [
      ([Float.nan, 1], CheckResult.Status.ok), ([0, 1], .failed), ([.nan, .nan], .failed),
      ([.nan], .failed),
    ] {
      try sheet.compare("a", values)
      #expect(sheet.finish()[0].status == status)
    }
  }
}
