import Engine
import Foundation
import TestSupport
import Testing

@Suite("Zip writer")
struct ZipWriterTests {
  @Test("another implementation reads the same files out of it")
  func otherReader() throws {
    let folder = try TemporaryFolder()
    let contents = ["b.txt": Data("second".utf8), "a.txt": Data(repeating: 7, count: 70_000)]
    try ZipWriter.archive(contents).write(to: folder.file("x.zip"))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "python3", "-c",
      "import zipfile,sys; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; "
        + "z.extractall(sys.argv[2]); print(z.namelist())",
      folder.file("x.zip").path, folder.file("out").path,
    ]
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    for (name, data) in contents {
      #expect(try Data(contentsOf: folder.file("out/\(name)")) == data)
    }
  }
}
