import Foundation
import Testing

@testable import Attribution

@Suite("Places of attribution")
struct AttributionPlacesTests {
  @Test("follow the base directory specification")
  func variables() {
    let environment = ["HOME": "/h", "XDG_STATE_HOME": "/s", "XDG_CACHE_HOME": "/c"]
    #expect(AttributionPlaces.store(environment).path == "/s/continuo/attribution.sqlite")
    #expect(AttributionPlaces.cache(environment).path == "/c/continuo/fisher")
  }

  @Test("unset, empty and relative variables are ignored")
  func ignored() {
    for variables in [[:], ["XDG_STATE_HOME": "", "XDG_CACHE_HOME": "here"]] {
      let environment = variables.merging(["HOME": "/h"]) { $1 }
      #expect(
        AttributionPlaces.store(environment).path == "/h/.local/state/continuo/attribution.sqlite")
      #expect(AttributionPlaces.cache(environment).path == "/h/.cache/continuo/fisher")
    }
    let home = FileManager.default.homeDirectoryForCurrentUser.path
    #expect(AttributionPlaces.cache([:]).path == home + "/.cache/continuo/fisher")
  }
}
