// swift-tools-version: 6.2
import PackageDescription

// Every Swift target is checked the same way. The numeric ones are optimised in debug builds too:
// plain loops are 26 times slower at -Onone, and tests run networks.
let strict: [SwiftSetting] = [
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
]

#if arch(x86_64)
  let vector: [String] = ["-Xcc", "-march=x86-64-v3"]
#else
  let vector: [String] = []
#endif
let numeric: [SwiftSetting] =
  strict + [
    .unsafeFlags(vector),
    .unsafeFlags(["-O"], .when(configuration: .debug)),
  ]

let package = Package(
  name: "continuo",
  products: [
    .executable(name: "continuo", targets: ["continuo"]),
    .executable(name: "continuod", targets: ["continuod"]),
    .executable(name: "continuo-worker", targets: ["continuo-worker"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-numerics", from: "1.1.1"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
  ],
  targets: [
    .systemLibrary(name: "CJACK", pkgConfig: "jack", providers: [.apt(["libjack-jackd2-dev"])]),
    .systemLibrary(name: "CPoll"),
    .systemLibrary(name: "CLO", pkgConfig: "liblo", providers: [.apt(["liblo-dev"])]),
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CSndFile", pkgConfig: "sndfile", providers: [.apt(["libsndfile1-dev"])]),
    .systemLibrary(name: "CSoxr", pkgConfig: "soxr", providers: [.apt(["libsoxr-dev"])]),
    .systemLibrary(
      name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
    .systemLibrary(
      name: "CEbur128", pkgConfig: "libebur128", providers: [.apt(["libebur128-dev"])]),
    .systemLibrary(name: "CKissFFT", providers: [.apt(["libkissfft-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .target(
      name: "CSentencePiece",
      cxxSettings: [.unsafeFlags(["-std=c++17"])],
      linkerSettings: [.linkedLibrary("sentencepiece")]),
    .target(name: "CKernels", cSettings: [.unsafeFlags(["-O3"])]),

    .target(name: "Reporting", swiftSettings: strict),
    .target(
      name: "Kernels",
      dependencies: [
        "CKernels", "COpenBLAS", .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: numeric),
    .target(
      name: "Models",
      dependencies: [
        "Kernels", "Reporting", "CSentencePiece",
        .product(name: "RealModule", package: "swift-numerics"),
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: numeric),
    .target(
      name: "Audio",
      dependencies: ["Reporting", "CSndFile", "CSoxr", "CEbur128", "CKissFFT", "CPNG"],
      swiftSettings: numeric),
    .target(
      name: "Engine",
      dependencies: [
        "Models", "Kernels", "Audio", "Reporting", "CJACK", "CLO", "CPoll", "CArchive",
        "CZlib",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: numeric),
    .target(
      name: "Attribution",
      dependencies: [
        "Models", "Kernels", "Audio", "Reporting", .product(name: "GRDB", package: "GRDB.swift"),
      ],
      exclude: ["Study"], swiftSettings: numeric),
    .target(
      name: "HouseModel", exclude: ["Training"], resources: [.copy("Resources")],
      swiftSettings: strict),
    .executableTarget(
      name: "continuo",
      dependencies: [
        "Models", "Kernels", "Audio", "Engine", "Attribution", "HouseModel", "Reporting",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "continuod",
      dependencies: [
        "Engine", "Attribution", "Models", "Kernels", "HouseModel", "Reporting",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "continuo-worker",
      dependencies: [
        "Attribution", "Models", "HouseModel", "Reporting",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    .target(
      name: "TestSupport", dependencies: ["CJACK", "CZlib", "Engine", "Models"],
      path: "Tests/TestSupport",
      swiftSettings: strict
    ),
    .testTarget(name: "ReportingTests", dependencies: ["Reporting"], swiftSettings: strict),
    .testTarget(
      name: "KernelsTests", dependencies: ["Kernels", "TestSupport"],
      swiftSettings: numeric),
    .testTarget(
      name: "ModelsTests", dependencies: ["Models", "Kernels", "HouseModel", "TestSupport"],
      resources: [], swiftSettings: numeric),
    .testTarget(
      name: "AudioTests", dependencies: ["Audio", "CSndFile", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "EngineTests",
      dependencies: [
        "Engine", "Models", "HouseModel", "Reporting", "TestSupport",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "AttributionTests",
      dependencies: ["Attribution", "Audio", "Models", "Kernels", "TestSupport"],
      swiftSettings: numeric),
    .testTarget(
      name: "CommandTests", dependencies: ["continuo", "Audio", "Engine", "Models", "TestSupport"],
      swiftSettings: strict),
  ]
)
