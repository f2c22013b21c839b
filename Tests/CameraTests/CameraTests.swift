import XCTest
import Camera
