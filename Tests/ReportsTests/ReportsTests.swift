import XCTest
import Reports
