import XCTest
import Compiler
