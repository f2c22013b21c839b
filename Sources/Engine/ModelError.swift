import NestFormat
import Platform

/// Why a model file could not be loaded.
public enum ModelError: Error, Sendable {
    case system(SystemError)
    case load(LoadError)

    /// Stable name: `swiftlet explain NAME`.
    public var name: StaticString {
        switch self {
        case .system(let error): error.name
        case .load(let error): error.name
        }
    }

    /// One line with the facts.
    @export(interface) public var message: String {
        switch self {
        case .system(let error): error.message
        case .load(let error): error.message
        }
    }

    /// What it means and what to do.
    public var explanation: StaticString {
        switch self {
        case .system: SystemError.explanation
        case .load(let error): error.explanation
        }
    }
}
