import Testing

@testable import Engine

@Suite struct LoaderTests {
  @Test func resultsComeHomeWhenTheyAreAskedFor() {
    let loader = Loader()
    var results: [String] = []
    loader.run {
      42
    } then: {
      results.append("\((try? $0.get()) ?? 0)")
    }
    loader.run { () throws -> Int in
      throw ControlError.badName("x")
    } then: {
      if case .failure(let error) = $0 { results.append("\(error is ControlError)") }
    }
    #expect(results.isEmpty && loader.isBusy)
    loader.drain()
    loader.deliver()
    #expect(results == ["42", "true"] && !loader.isBusy)
  }
}
