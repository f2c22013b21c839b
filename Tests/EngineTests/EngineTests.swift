import XCTest
import Engine
