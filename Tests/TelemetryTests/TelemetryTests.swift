import XCTest
import Telemetry
