import XCTest
import Kernels
