import Camera
import Engine
import Kernels
import NestFormat
import Platform
import Vision

/// One picture's way through the model, without input and output of its own: decode, preprocess, infer, decode results.
/// Memory is taken at `init`, and when a picture is larger than all before it.
public final class FramePipeline {
    public let model: Model
    public let session: Session
    public let decoder: Decoder
    public let preprocessor: Preprocessor
    /// The picture before any scaled decode, pixels.
    public private(set) var pictureWidth = 0, pictureHeight = 0

    private let preprocess: Preprocess
    private let jpeg: JPEGDecoder
    private let maximumPixels: Int
    private var pixels = GrowingBuffer(capacity: 1 << 16)

    /// Nanoseconds that the last frame's stages took.
    public struct Times {
        public var decode: UInt64 = 0, preprocess: UInt64 = 0, inference: UInt64 = 0, postprocess: UInt64 = 0
    }
    public private(set) var times = Times()

    public init(
        path: String, model: Model, threads: Int, forcing isa: ISA?, maximumPixels: Int
    ) throws(RunError) {
        guard let preprocess = model.file.preprocess, let tables = model.file.preprocessTables else {
            throw .noPreprocessing(path: path)
        }
        guard model.plan.inputs.count == 1 else { throw .inputCount(path: path, model.plan.inputs.count) }
        (self.model, self.preprocess, self.maximumPixels) = (model, preprocess, maximumPixels)
        preprocessor = Preprocessor(preprocess, tables: tables)
        do throws(SessionError) {
            session = try Session(model: model, threadCount: threads, forcing: isa)
        } catch { throw .session(error) }
        do throws(DecodingError) {
            decoder = try Decoder(
                model.file.decoding, outputs: model.plan.outputs, inputWidth: preprocess.width,
                inputHeight: preprocess.height)
        } catch { throw .decoding(error) }
        do throws(SystemError) { jpeg = try JPEGDecoder() } catch { throw .system(error) }
    }

    deinit { pixels.deallocate() }

    /// Runs one picture; results are in `decoder` and `session`. Throws for a picture that cannot be decoded.
    public func run(_ picture: Picture) throws(JPEGError) {
        let start = MonotonicClock.now()
        let image: Image
        switch picture {
        case .pixels(let given):
            image = given
            (pictureWidth, pictureHeight) = (given.width, given.height)
        case .jpeg(let bytes):
            image = try decode(bytes)
        }
        let decoded = MonotonicClock.now()
        preprocessor.run(image, output: session.input(0).baseAddress!)
        let prepared = MonotonicClock.now()
        session.run()
        let inferred = MonotonicClock.now()
        decoder.decode(placement: preprocessor.placement) { session.output($0) }
        let finished = MonotonicClock.now()
        times = Times(
            decode: decoded - start, preprocess: prepared - decoded, inference: inferred - prepared,
            postprocess: finished - inferred)
    }

    private func decode(_ bytes: UnsafeRawBufferPointer) throws(JPEGError) -> Image {
        let header = try jpeg.readHeader(bytes)
        let denominator = preprocess.jpegDenominator(sourceWidth: header.width, sourceHeight: header.height)
        let (width, height) = (header.scaledWidth(denominator), header.scaledHeight(denominator))
        guard width * height <= maximumPixels else { throw .tooLarge }
        let isGray = preprocess.color == .gray
        pixels.reserve(width * height * (isGray ? 1 : 3), keeping: 0)
        let size = try jpeg.decode(bytes, denominator: denominator, isGray: isGray, into: pixels.bytes)
        (pictureWidth, pictureHeight) = (header.width, header.height)
        return Image(
            format: isGray ? .gray8 : .rgb24, width: size.width, height: size.height,
            bytes: UnsafeRawBufferPointer(pixels.bytes))!
    }
}
