import Testing

@testable import Engine

@Suite struct ConnectionMemoryTests {
  private let line = Connection(own: "in_1", other: "system:capture_1")

  @Test func aWantedConnectionIsMadeWhenTheOtherPortAppears() {
    var memory = ConnectionMemory()
    memory.want([line])
    #expect(memory.update(actual: []) { _ in false } == [])
    #expect(memory.update(actual: []) { _ in true } == [line])
    #expect(memory.update(actual: [line]) { _ in true } == [])
  }

  @Test func aNewServerGetsTheOldConnections() {
    var memory = ConnectionMemory()
    #expect(memory.update(actual: [line]) { _ in true } == [])
    memory.serverReturned()
    #expect(memory.update(actual: []) { _ in true } == [line])
  }

  @Test func whatAPersonTookApartStaysApart() {
    var memory = ConnectionMemory()
    _ = memory.update(actual: [line]) { _ in true }
    #expect(memory.update(actual: []) { _ in true } == [])
    #expect(memory.remembered == [])
  }

  @Test func aNeighbourThatComesBackIsConnectedAgain() {
    var memory = ConnectionMemory()
    _ = memory.update(actual: [line]) { _ in true }
    #expect(memory.update(actual: []) { _ in false } == [])
    #expect(memory.update(actual: []) { _ in true } == [line])
  }
}
