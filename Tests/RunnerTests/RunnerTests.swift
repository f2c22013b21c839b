import XCTest
import Runner
