import XCTest
import Platform
