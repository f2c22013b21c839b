import XCTest
import Vision
