// swift-tools-version: 6.0
import PackageDescription

// Two worlds in one manifest (see ARCHITECTURE.md, "Modules"):
//  - device-safe targets build both as ordinary Swift and as Embedded Swift (`cross/build <cpu>`), so they never import
//    Foundation or a host target;
//  - host targets make the workstation tool `swiftlet`.
let package = Package(
    name: "swiftlet",
    products: [
        .executable(name: "swiftlet", targets: ["swiftlet"]),
        .executable(name: "swiftlet-run", targets: ["swiftlet-run"]),
    ],
    targets: [
        // Device-safe
        .target(name: "CKernels"),
        .target(name: "CLinux", linkerSettings: [.linkedLibrary("jpeg"), .linkedLibrary("m"), .linkedLibrary("pthread")]),
        .target(name: "Kernels", dependencies: ["CKernels"]),
        .target(name: "Platform", dependencies: ["CLinux"]),
        .target(name: "NestFormat", dependencies: ["CKernels"]),
        .target(name: "Engine", dependencies: ["Kernels", "NestFormat", "Platform"]),
        .target(name: "Vision", dependencies: ["NestFormat"]),
        .target(name: "Camera", dependencies: ["Platform", "Vision"]),
        .target(name: "Telemetry", dependencies: ["NestFormat", "Platform"]),
        .target(name: "Runner", dependencies: ["Camera", "Engine", "NestFormat", "Platform", "Telemetry", "Vision"]),
        .executableTarget(name: "swiftlet-run", dependencies: ["Runner"]),

        // Host
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .target(name: "Graph", dependencies: ["COpenBLAS"]),
        .target(name: "Importers", dependencies: ["Graph"]),
        .target(name: "Compiler", dependencies: ["Engine", "Graph", "Kernels", "NestFormat", "Platform", "Vision"]),
        .target(name: "Reports", dependencies: ["Telemetry"]),
        .target(name: "CPeak", dependencies: ["CKernels"]),
        .executableTarget(
            name: "swiftlet",
            dependencies: [
                "CPeak", "Camera", "Compiler", "Engine", "Graph", "Importers", "Kernels", "NestFormat", "Platform", "Reports", "Runner",
                "Telemetry", "Vision",
            ]),

        // Tests
        .target(name: "CKernelsModel", dependencies: ["CKernels"], path: "Tests/CKernelsModel"),
        .testTarget(name: "KernelsTests", dependencies: ["CKernelsModel", "Kernels"]),
        .testTarget(name: "PlatformTests", dependencies: ["Platform"]),
        .testTarget(name: "NestFormatTests", dependencies: ["NestFormat"]),
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        .testTarget(
            name: "EngineTests", dependencies: ["CAllocationCounter", "Engine", "Kernels", "NestFormat", "Platform"]),
        .testTarget(name: "VisionTests", dependencies: ["Vision"]),
        .testTarget(name: "CameraTests", dependencies: ["Camera"]),
        .testTarget(name: "TelemetryTests", dependencies: ["NestFormat", "Platform", "Telemetry"]),
        .testTarget(name: "RunnerTests", dependencies: ["Runner"]),
        .testTarget(name: "GraphTests", dependencies: ["Graph"]),
        .testTarget(
            name: "ImportersTests", dependencies: ["Graph", "Importers", "Platform"],
            exclude: ["TFLiteOperatorGolden.txt"]),
        .testTarget(name: "CompilerTests", dependencies: ["Compiler", "Importers"]),
        .testTarget(name: "ReportsTests", dependencies: ["Reports", "Telemetry"]),
    ]
)
