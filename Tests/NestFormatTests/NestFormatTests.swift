import XCTest
import NestFormat
