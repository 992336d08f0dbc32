import Foundation
import HouseModel
import Models
import Testing

@Suite("House model")
struct HouseModelTests {
  @Test("the shipped model is found by its name and its configuration is readable")
  func found() throws {
    let location = try ModelLocation.find("house", shipped: HouseModel.resources)
    #expect(location.origin == .shipped)
    #expect(try MusicGenConfig(folder: location.folder).decoder.headDimension == 64)
    #expect(
      FileManager.default.fileExists(
        atPath: HouseModel.resources.appendingPathComponent("phrase.flac").path))
  }

  @Test("a shipped model has the shipped catalogue, any other none")
  func catalogues() throws {
    let location = try ModelLocation.find("house", shipped: HouseModel.resources)
    let catalogue = try #require(HouseModel.catalogue(of: location.folder))
    #expect(
      FileManager.default.fileExists(
        atPath: catalogue.appendingPathComponent("catalogue.json").path))
    #expect(HouseModel.catalogue(of: URL(fileURLWithPath: "/tmp/house")) == nil)
  }
}
