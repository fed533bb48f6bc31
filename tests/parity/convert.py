"""Carries weights between JAX trees and the PyTorch reference, and back.

Axis by axis:

* convolutions: JAX HWIO [ky, kx, in, out], PyTorch OIHW [out, in, ky, kx];
* dense layers: JAX [in, out], PyTorch [out, in];
* the decoder's dense output is a grid: JAX reads it as (height, width,
  channel), PyTorch as (channel, height, width), so it is permuted on the way;
* the dense encoder's weights: JAX [height, width, channel, voxel], PyTorch
  [voxel, (channel, height, width)];
* spatial maps of the separable encoder: JAX [y * side + x, voxel], PyTorch
  [voxel, y * side + x];
* channel mixes: JAX [c * 9 + ky * 3 + kx, voxel], PyTorch [voxel, ...] with
  the same order (`torch.nn.functional.unfold` and
  `jax.lax.conv_general_dilated_patches` agree). TensorFlow's patches put c
  fastest, ky * 96 + kx * 32 + c: see `patches_from_tensorflow`;
* branch weights: JAX [branch, voxel], PyTorch [voxel, branch].

Every map here is a permutation, so a gradient travels the same way.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch


def tensor(array) -> torch.Tensor:
    """Returns a copy, in the precision of the array."""
    return torch.from_numpy(np.array(array))


def images_to_torch(images) -> torch.Tensor:
    """Returns images or features [n, h, w, c] as [n, c, h, w]."""
    return tensor(images).permute(0, 3, 1, 2).contiguous()


def images_to_jax(images: torch.Tensor) -> np.ndarray:
    return images.detach().cpu().permute(0, 2, 3, 1).contiguous().numpy()


def conv_to_torch(kernel) -> torch.Tensor:
    return tensor(kernel).permute(3, 2, 0, 1).contiguous()


def conv_to_jax(kernel: torch.Tensor) -> np.ndarray:
    return kernel.permute(2, 3, 1, 0).contiguous().numpy()


def patches_from_tensorflow(mix, channels: int = 32) -> np.ndarray:
    """Returns [ky * 3c + kx * c + c', voxel] as [c' * 9 + ky * 3 + kx, v]."""
    mix = np.asarray(mix).reshape(3, 3, channels, -1)
    return mix.transpose(2, 0, 1, 3).reshape(channels * 9, -1)


def vgg(params: Mapping) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Returns the reference's weights of a VGG."""
    return {
        name: (conv_to_torch(layer['kernel']), tensor(layer['bias']))
        for name, layer in params.items()
    }


def _grid_rows(kernel, grid: int, width: int, to_torch: bool):
    """Permutes the first axis between (h, w, c) and (c, h, w)."""
    kernel = np.asarray(kernel)
    if to_torch:
        grid_first = kernel.reshape(grid, grid, width, -1)
        return grid_first.transpose(2, 0, 1, 3).reshape(kernel.shape)
    channel_first = kernel.reshape(width, grid, grid, -1)
    return channel_first.transpose(1, 2, 0, 3).reshape(kernel.shape)


def _conv(layer: torch.nn.Conv2d, params: Mapping) -> None:
    layer.weight.data = conv_to_torch(params['kernel'])
    layer.bias.data = tensor(params['bias'])


def _norm(layer, params: Mapping, stats: Mapping | None = None) -> None:
    layer.weight.data = tensor(params['scale'])
    layer.bias.data = tensor(params['bias'])
    if stats is not None:
        layer.running_mean.data = tensor(stats['mean'])
        layer.running_var.data = tensor(stats['var'])


def load_decoder(module, params: Mapping, stats: Mapping | None = None):
    """Fills a DecoderReference from a JAX tree and returns it."""
    grid, width = module.grid, module.width
    kernel = _grid_rows(np.asarray(params['dense']['kernel']).T, grid, width, 1)
    module.dense.weight.data = tensor(kernel)
    bias = np.asarray(params['dense']['bias'])[:, None]
    module.dense.bias.data = tensor(_grid_rows(bias, grid, width, 1)[:, 0])
    for i in range(3):
        _conv(module.conv[i], params[f'conv_{i}'])
        _norm(
            module.norm[i],
            params[f'norm_{i}'],
            stats[f'norm_{i}'] if stats else None,
        )
    _conv(module.top, params['top'])
    return module


def _values(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().cpu()


def _gradients(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.grad.detach().cpu()


def decoder_to_jax(module, part: Callable = _values) -> dict:
    """Returns a DecoderReference's parameters as a JAX tree."""
    grid, width = module.grid, module.width

    def conv(layer):
        return {
            'kernel': conv_to_jax(part(layer.weight)),
            'bias': part(layer.bias).numpy(),
        }

    kernel = _grid_rows(part(module.dense.weight).numpy(), grid, width, 0)
    bias = part(module.dense.bias).numpy()[:, None]
    tree = {
        'dense': {
            'kernel': kernel.T,
            'bias': _grid_rows(bias, grid, width, 0)[:, 0],
        },
        'top': conv(module.top),
    }
    for i in range(3):
        tree[f'conv_{i}'] = conv(module.conv[i])
        tree[f'norm_{i}'] = {
            'scale': part(module.norm[i].weight).numpy(),
            'bias': part(module.norm[i].bias).numpy(),
        }
    return tree


def decoder_gradients_to_jax(module) -> dict:
    """Returns the gradients left in a DecoderReference as a JAX tree."""
    return decoder_to_jax(module, _gradients)


def load_separable_encoder(module, params: Mapping, stats: Mapping):
    """Fills a SeparableEncoderReference from JAX trees and returns it."""
    for b in range(4):
        branch, moments = params[f'branch_{b}'], stats[f'branch_{b}']
        _norm(module.norm_in[b], branch['norm_in'], moments['norm_in'])
        _conv(module.conv[b].conv, branch['conv'])
        _norm(module.norm_out[b], branch['norm_out'], moments['norm_out'])
        module.mix[b].data = tensor(np.asarray(params[f'channels_{b}']).T)
        module.mix_bias[b].data = tensor(params[f'bias_{b}'])
    for side, layer in module.space.items():
        layer.weight.data = tensor(np.asarray(params[f'space_{side}']).T)
    module.branch_weights.data = tensor(np.asarray(params['branch_weights']).T)
    return module


def load_dense_encoder(module, params: Mapping, stats: Mapping):
    """Fills a DenseEncoderReference from JAX trees and returns it."""
    _norm(module.norm_in, params['norm_in'], stats['norm_in'])
    for i in range(2):
        _conv(module.conv[i].conv, params[f'conv_{i}'])
        _norm(module.norm[i], params[f'norm_{i}'], stats[f'norm_{i}'])
    kernel = np.asarray(params['dense']).transpose(3, 2, 0, 1)
    module.dense.weight.data = tensor(kernel.reshape(len(kernel), -1))
    module.dense.bias.data = tensor(params['bias'])
    return module


def separable_encoder_gradients_to_jax(module) -> dict:
    """Returns the gradients left in a SeparableEncoderReference."""
    part = _gradients

    def norm(layer):
        return {
            'scale': part(layer.weight).numpy(),
            'bias': part(layer.bias).numpy(),
        }

    tree = {'branch_weights': part(module.branch_weights).numpy().T}
    for side, layer in module.space.items():
        tree[f'space_{side}'] = part(layer.weight).numpy().T
    for b in range(4):
        tree[f'channels_{b}'] = part(module.mix[b]).numpy().T
        tree[f'bias_{b}'] = part(module.mix_bias[b]).numpy()
        tree[f'branch_{b}'] = {
            'norm_in': norm(module.norm_in[b]),
            'conv': {
                'kernel': conv_to_jax(part(module.conv[b].conv.weight)),
                'bias': part(module.conv[b].conv.bias).numpy(),
            },
            'norm_out': norm(module.norm_out[b]),
        }
    return tree
